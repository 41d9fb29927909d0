"""Print a verification for a person: the answer, then what led to it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from egrm_graph.scoring.written_text import step_texts
from egrm_graph.terminal.judgment_text import add_rows, has_parts, summary_of
from egrm_graph.terminal.tables import UNBOUNDED, Table
from egrm_graph.terminal.terminal_text import MAX_PIPE_CHARACTERS, bounded, inert, one_line
from egrm_graph.terminal.tree_text import TreeOutline
from egrm_graph.tracing.run_summary import ENDING_STYLES
from egrm_graph.verification import Path, PathStep, Uncertainty, Verification

BAR_WIDTH = 20
MAX_STEPS = 24
"""The most steps of one path to print, except the lowest."""
LOWEST = "▾"
"""Marks the step with the lowest score."""
MAX_TERMINAL_CHARACTERS = 1000
"""The most characters of one text on a terminal."""


def show(verification: Verification, console: Console) -> None:
    """Print the verification. Markup and escapes in a model's text are not interpreted."""
    most = MAX_PIPE_CHARACTERS if console.width >= UNBOUNDED else MAX_TERMINAL_CHARACTERS
    answer, guess = verification["answer"], verification.get("best_guess")
    nothing = "no answer" if guess is None else f"no answer (best guess: {inert(guess)})"
    console.print(
        Text(nothing if answer is None else inert(answer), ENDING_STYLES[verification["status"]]), soft_wrap=True
    )
    console.print(Text(_headline(verification), "dim" if verification["status"] == "ok" else ""), soft_wrap=True)
    console.print()
    if verification["rewards"] is not None:
        console.print(_candidates(verification))
        console.print()
    if verification["uncertainty"]["samples"]:
        console.print(_fast_answers(verification["uncertainty"], most))
        console.print(Padding(Text(_gate(verification)), (0, 0, 0, 2), expand=False))
    if verification["paths"]:
        console.print()
        tree = TreeOutline(verification["paths"], verification["best_path"], most)
        console.print(_part("Tree of reasoning paths", tree) if tree else _paths(verification, most))
    if verification["reasons"]:
        console.print()
        console.print(_part("Reasons", *(Text(f"- {inert(reason)}") for reason in verification["reasons"])))
    console.print()
    console.print(_part("Cost", *map(Text, _cost(verification).splitlines())))


def _headline(verification: Verification) -> str:
    parts: list[str] = [verification["status"], verification["route"]]
    if verification["confidence"] is not None:
        parts.append(f"confidence {verification['confidence']:.2f}")
    if verification["correct"] is not None:
        parts.append("right" if verification["correct"] else "wrong, by the reference")
    return " · ".join(parts)


def _candidates(verification: Verification) -> RenderableType:
    table = Table("", "")
    for i, (reward, reason) in enumerate(
        zip(verification["rewards"] or [], verification["unrewarded"] or [], strict=True)
    ):
        name = chr(ord("A") + i) if len(verification["rewards"] or []) <= 26 else str(i + 1)
        cell = Text(one_line(reason or ""), "dim") if reward is None else Text(f"{reward:.2f}")
        table.add_row(Text(name, "bold" if i == verification["winner"] else ""), cell)
    if verification["tie"] is not None:
        table.add_row(
            Text("tie", "bold" if verification["answer"] == "tie" else ""), Text(f"{verification['tie']:.2f}")
        )
    return _part("Candidates and their estimated probabilities", table)


def _fast_answers(gate: Uncertainty, most: int) -> RenderableType:
    votes = Table("", "", "")
    lost = gate["samples"] - sum(vote["count"] for vote in gate["votes"])
    for vote in gate["votes"]:
        _bar(votes, Text(bounded(vote["answer"], most)), vote["count"], gate["samples"])
    if lost > 1e-9:
        _bar(votes, Text("no answer", "dim"), lost, gate["samples"])
    return _part("Fast answers", votes)


def _bar(votes: Table, answer: Text, count: float, n_samples: int) -> None:
    counted = f"{count:g}" if count == round(count) else f"{count:.2f}"
    votes.add_row(answer, Text("█" * max(1, round(BAR_WIDTH * count / n_samples)), "cyan"), f"{counted} of {n_samples}")


def _gate(verification: Verification) -> str:
    gate = verification["uncertainty"]
    value = "not measurable" if gate["value"] is None else f"{gate['value']:.2f}"
    outcome = "they converge" if verification["route"] == "direct" else "they do not converge, so it reasoned"
    orders = "" if gate["orders_agree"] is None else f" (orders {'agree' if gate['orders_agree'] else 'disagree'})"
    return f"{gate['measure']} {value}, threshold {gate['threshold']:.2f}: {outcome}{orders}"


def _paths(verification: Verification, most: int) -> RenderableType:
    table = Table("", "", "", "")
    for i, path in enumerate(verification["paths"]):
        won = i == verification["best_path"]
        style = "bold" if won else ""
        score = "unscored" if path["score"] is None else f"{path['score']:.3f}"
        answer = "no answer" if path["answer"] is None else bounded(path["answer"], most)
        texts = step_texts(path)
        text = _text(path, most) if texts is None else Text("")
        judgment = path.get("judgment")
        parts = judgment if has_parts(judgment) else None
        text = text if parts is None else Text(summary_of(parts), "dim")
        table.add_row("→" if won else " ", Text(score, style), Text(answer, style), text)
        _steps(table, path.get("steps") or [], texts, most)
        if parts is not None:
            add_rows(table, parts, most)
    by_step = f", and the steps of each ({LOWEST} the lowest)" if any(map(_has_steps, verification["paths"])) else ""
    uncalibrated = (
        ", and the scores are not calibrated"
        if verification["calibrated"] is False and not verification["rewards"]
        else ""
    )
    has_units = any(has_parts(path.get("judgment")) for path in verification["paths"])
    units = ", and what each principle favors" if has_units else ""
    return _part(f"Reasoning paths: score, answer, text{by_step}{units}{uncalibrated}", table)


def _has_steps(path: Path) -> bool:
    return bool(path.get("steps"))


def _steps(table: Table, steps: Sequence[PathStep], texts: Sequence[str] | None, most: int) -> None:
    """A row for each of the first steps, and for the one with the lowest score."""
    lowest = min(range(len(steps)), key=lambda i: steps[i]["score"], default=0)
    for i, step in enumerate(steps):
        if i < MAX_STEPS or i == lowest:
            style = "bold red" if i == lowest else "dim"
            text = "" if texts is None else bounded(texts[i].strip(), most)
            mark = Text(LOWEST if i == lowest else " ", style)
            table.add_row(mark, Text(f"{step['score']:.3f}", style), Text(""), Text(text, style))
    if len(steps) > MAX_STEPS:
        table.add_row(" ", "", "", Text(f"{len(steps)} steps in all", "dim"))


def _text(path: Path, most: int) -> Text:
    if path["text"] is None and path["error"] is None:
        return Text("not recorded", "dim")
    if path["text"] is None:
        return Text(bounded(f"lost: {path['error']}", most), "dim")
    return Text(bounded(path["text"], most), "dim")


def _cost(verification: Verification) -> str:
    usage, ms = verification["usage"], verification["timing_ms"]
    cancelled = f" ({usage['cancelled_tokens']:,} of them cancelled)" if usage["cancelled_tokens"] else ""
    cached = f" ({usage['cached_tokens']:,} of them cached)" if usage["cached_tokens"] else ""
    stages = ", ".join(f"{name} {value:.0f}" for name, value in ms.items() if value >= 1)
    requests = f"{usage['requests']} request{'' if usage['requests'] == 1 else 's'}"
    completion, prompt = usage["completion_tokens"], usage["prompt_tokens"]
    tokens = f"{completion:,} completion tokens{cancelled}, {prompt:,} prompt tokens{cached}"
    return f"{tokens}, {requests}\n{sum(ms.values()):.0f} ms{f': {stages}' if stages else ''}"


def _part(title: str, *lines: RenderableType) -> RenderableType:
    return Group(Text(title, "bold"), Padding(Group(*lines), (0, 0, 0, 2), expand=False))
