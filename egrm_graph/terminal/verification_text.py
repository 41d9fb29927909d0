"""Tells one verification to a person: the answer, and then what led to it."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from egrm_graph.terminal.tables import UNBOUNDED, Table
from egrm_graph.terminal.terminal_text import MOST, bounded, inert, one_line
from egrm_graph.tracing.run_summary import ENDING_STYLES
from egrm_graph.verification import Path, Uncertainty, Verification

BAR = 20
SHOWN = 1000
"""Characters of one text on a terminal."""


def show(told: Verification, console: Console) -> None:
    """Prints it. All of a model's text is shown as it is: no markup, no escapes."""
    most = MOST if console.width >= UNBOUNDED else SHOWN
    answer, guess = told["answer"], told.get("best_guess")
    nothing = "no answer" if guess is None else f"no answer (best guess: {inert(guess)})"
    console.print(Text(nothing if answer is None else inert(answer), ENDING_STYLES[told["status"]]), soft_wrap=True)
    console.print(Text(_headline(told), "dim" if told["status"] == "ok" else ""), soft_wrap=True)
    console.print()
    if told["rewards"] is not None:
        console.print(_candidates(told))
        console.print()
    if told["uncertainty"]["samples"]:
        console.print(_fast_answers(told["uncertainty"], most))
        console.print(Padding(Text(_gate(told)), (0, 0, 0, 2), expand=False))
    if told["paths"]:
        console.print()
        console.print(_paths(told, most))
    if told["reasons"]:
        console.print()
        console.print(_part("Reasons", *(Text(f"- {inert(reason)}") for reason in told["reasons"])))
    console.print()
    console.print(_part("Cost", *map(Text, _cost(told).splitlines())))


def _headline(told: Verification) -> str:
    parts: list[str] = [told["status"], told["route"]]
    if told["confidence"] is not None:
        parts.append(f"confidence {told['confidence']:.2f}")
    if told["correct"] is not None:
        parts.append("right" if told["correct"] else "wrong, by the reference")
    return " · ".join(parts)


def _candidates(told: Verification) -> RenderableType:
    table = Table("", "")
    for i, (reward, why) in enumerate(zip(told["rewards"] or [], told["unrewarded"] or [], strict=True)):
        name = chr(ord("A") + i) if len(told["rewards"] or []) <= 26 else str(i + 1)
        shown = Text(one_line(why or ""), "dim") if reward is None else Text(f"{reward:.2f}")
        table.add_row(Text(name, "bold" if i == told["winner"] else ""), shown)
    if told["tie"] is not None:
        table.add_row(Text("tie", "bold" if told["answer"] == "tie" else ""), Text(f"{told['tie']:.2f}"))
    return _part("Candidates, and the estimated probability of each", table)


def _fast_answers(seen: Uncertainty, most: int) -> RenderableType:
    votes = Table("", "", "")
    lost = seen["samples"] - sum(vote["count"] for vote in seen["votes"])
    for vote in seen["votes"]:
        _bar(votes, Text(bounded(vote["answer"], most)), vote["count"], seen["samples"])
    if lost > 1e-9:
        _bar(votes, Text("no answer", "dim"), lost, seen["samples"])
    return _part("Fast answers", votes)


def _bar(votes: Table, answer: Text, count: float, of: int) -> None:
    counted = f"{count:g}" if count == round(count) else f"{count:.2f}"
    votes.add_row(answer, Text("█" * max(1, round(BAR * count / of)), "cyan"), f"{counted} of {of}")


def _gate(told: Verification) -> str:
    seen = told["uncertainty"]
    value = "not measurable" if seen["value"] is None else f"{seen['value']:.2f}"
    verdict = "they converge" if told["route"] == "direct" else "they do not converge, so it reasoned"
    orders = "" if seen["orders_agree"] is None else f" (orders {'agree' if seen['orders_agree'] else 'disagree'})"
    return f"{seen['measure']} {value}, threshold {seen['threshold']:.2f}: {verdict}{orders}"


def _paths(told: Verification, most: int) -> RenderableType:
    table = Table("", "", "", "")
    for i, path in enumerate(told["paths"]):
        won = i == told["best_path"]
        style = "bold" if won else ""
        score = "unscored" if path["score"] is None else f"{path['score']:.3f}"
        answer = "no answer" if path["answer"] is None else bounded(path["answer"], most)
        table.add_row("→" if won else " ", Text(score, style), Text(answer, style), _text(path, most))
    uncalibrated = ", and the scores are not calibrated" if told["calibrated"] is False and not told["rewards"] else ""
    return _part(f"Reasoning paths: score, answer, text{uncalibrated}", table)


def _text(path: Path, most: int) -> Text:
    if path["text"] is None and path["error"] is None:
        return Text("not recorded", "dim")
    if path["text"] is None:
        return Text(bounded(f"lost: {path['error']}", most), "dim")
    return Text(bounded(path["text"], most), "dim")


def _cost(told: Verification) -> str:
    usage, ms = told["usage"], told["timing_ms"]
    cancelled = f" ({usage['cancelled_tokens']:,} of them cancelled)" if usage["cancelled_tokens"] else ""
    cached = f" ({usage['cached_tokens']:,} of them cached)" if usage["cached_tokens"] else ""
    stages = ", ".join(f"{name} {value:.0f}" for name, value in ms.items() if value >= 1)
    requests = f"{usage['requests']} request{'' if usage['requests'] == 1 else 's'}"
    completion, prompt = usage["completion_tokens"], usage["prompt_tokens"]
    tokens = f"{completion:,} completion tokens{cancelled}, {prompt:,} prompt tokens{cached}"
    return f"{tokens}, {requests}\n{sum(ms.values()):.0f} ms{f': {stages}' if stages else ''}"


def _part(title: str, *lines: RenderableType) -> RenderableType:
    return Group(Text(title, "bold"), Padding(Group(*lines), (0, 0, 0, 2), expand=False))
