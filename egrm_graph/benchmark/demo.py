"""`egrm demo`: the main job, run and told: three strategies on held-out questions, and one question step by step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from egrm_graph.benchmark.comparison import Row, compare, report, rows
from egrm_graph.benchmark.questions import Question, held_out
from egrm_graph.benchmark.statistics import Estimate
from egrm_graph.benchmark.strategies import Trial, run, strategies
from egrm_graph.parts import Parts, assemble
from egrm_graph.settings import Settings
from egrm_graph.verification import Verification


def run_demo(
    settings: Settings,
    *,
    questions: int,
    concurrency: int,
    out: Console,
    err: Console,
    json_path: Path | None = None,
    levels: bool = False,
) -> None:
    """Runs the comparison and prints it to `out`, with progress on `err`.

    Raises:
        SetupError: the model cannot be used, or there are not so many questions.
    """
    asked = held_out(questions)
    with err.status("Loading the models"):
        parts = assemble(settings)
    trials = asyncio.run(_trials(parts, asked, concurrency, err))
    if json_path is not None:
        json_path.write_text(json.dumps(report(trials, asked), indent=1) + "\n")
    _print_tables(trials, asked, out, levels=levels)
    _print_story(trials[-1], asked, out)


async def _trials(parts: Parts, questions: Sequence[Question], concurrency: int, err: Console) -> list[Trial]:
    try:
        await parts.client.check()
        trials = []
        columns = (TextColumn("{task.description:>14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=err) as progress:
            for strategy in strategies(parts):
                task = progress.add_task(strategy.name, total=len(questions))
                trials.append(await run(strategy, questions, concurrency, lambda: progress.advance(task)))  # noqa: B023
        return trials
    finally:
        await parts.aclose()


def _print_tables(trials: Sequence[Trial], questions: Sequence[Question], out: Console, *, levels: bool) -> None:
    out.print(_table(f"{len(questions):,} held-out questions", rows(trials, questions)))
    if levels:
        for level in sorted({question.level for question in questions}):
            out.print(_table(f"level {level}", rows(trials, questions, level)))
    found = compare(trials[2], trials[1])
    out.print(
        f"E-GRM against always reasoning: {_points(found.accuracy_points)} points of accuracy, "
        f"{_percent(found.tokens_ratio)} of its completion tokens."
    )
    out.print(
        f"Choosing among the paths of all questions: majority {_percent(found.majority)}, "
        f"scorer {_percent(found.chosen)}, best possible {_percent(found.best)}; "
        f"the scorer closes {_percent(found.gap_closed)} of the distance."
    )
    out.print("Brackets are 95 % intervals.", style="dim")


def _table(title: str, made: Sequence[Row]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("strategy")
    for heading in ("accuracy", "tokens a question", "escalated", "not ok", "seconds"):
        table.add_column(heading, justify="right")
    for row in made:
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        accuracy, tokens = _percent(row.accuracy), f"{row.tokens:.1f}"
        table.add_row(row.strategy, accuracy, tokens, f"{row.escalated:.1%}", str(row.failed), seconds)
    return table


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} \\[{estimate.low:.1%}, {estimate.high:.1%}]"


def _points(estimate: Estimate) -> str:
    return f"{estimate.value:+.1f} \\[{estimate.low:+.1f}, {estimate.high:+.1f}]"


def _print_story(gated: Trial, questions: Sequence[Question], out: Console) -> None:
    """Tells one escalated question: where there is one, one in which the scorer overruled the paths' majority."""
    escalated = [
        (outcome.verification, question)
        for outcome, question in zip(gated.outcomes, questions, strict=True)
        if outcome.verification is not None and outcome.escalated and outcome.right
    ]
    if escalated:
        told, question = max(escalated, key=lambda entry: _disagreement(entry[0]))
        out.print()
        tell(told, question, out)


def _disagreement(told: Verification) -> int:
    return len({path["answer"] for path in told["paths"]})


def tell(told: Verification, question: Question, out: Console) -> None:
    """One run, step by step."""
    seen = told["uncertainty"]
    fast = ", ".join(sample["answer"] or "?" for sample in told["samples"])
    out.print(f"[bold]One question step by step: {escape(question.text)}[/bold]  (right: {escape(question.reference)})")
    out.print(f"1. answer_fast: {len(told['samples'])} fast answers: {escape(fast)}")
    out.print(
        f"2. check_uncertainty: {seen['measure']} {seen['value']:.2f}, the gate wants {seen['threshold']:g}: "
        "they do not converge, so it reasons"
    )
    out.print("3. expand_cot and 4. score_paths:")
    for i, path in enumerate(told["paths"]):
        mark = "->" if i == told["winner"] else "  "
        score = "unscored" if path["score"] is None else f"{path['score']:.3f}"
        out.print(f"   {mark} {score}  {escape(path['text'] or path['error'] or '')}", highlight=False)
    out.print(f"5. select_answer: {escape(told['answer'] or 'none')}, for {told['usage']['completion_tokens']} tokens")
