"""The comparison of methods in `egrm demo`, as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from egrm_graph.benchmark.bench_output import PARSERS, REWARDBENCH, judges_pairs
from egrm_graph.benchmark.demo_figures import DemoRow, compare, rows
from egrm_graph.benchmark.demo_methods import Trial
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.scoring.scorer import Scorer
from egrm_graph.terminal.tables import Column, Table


def print_tables(
    trials: Sequence[Trial], questions: Sequence[BenchQuestion], out: Console, *, levels: bool, scorer: Scorer | None
) -> None:
    """Print the table of all questions, those of the levels on request, and a summary."""
    what = "questions with candidates" if questions[0].candidates else "questions"
    out.print(_table(f"{len(questions):,} held-out {what}", rows(trials, questions)))
    if levels:
        for level in sorted({question.level for question in questions}):
            out.print(_table(f"level {level}", rows(trials, questions, level)))
    by_name = {trial.name: trial for trial in trials}
    found = compare(by_name["E-GRM"], by_name["always reason"])
    out.print(
        Text(
            f"E-GRM against always reasoning: {found.accuracy_points.points()} points of accuracy, "
            f"{found.tokens_ratio.percent()} of its completion tokens."
        )
    )
    out.print(
        Text(
            f"Choosing among the paths of all questions: majority {found.majority.percent()}, "
            f"chosen {found.chosen.percent()}, best possible {found.best.percent()}; "
            f"the choice closes {found.gap_closed.percent()} of the gap."
        )
    )
    out.print(Text(_choosing(scorer)))
    out.print(Text("Tokens are completion tokens per question. Brackets are 95 % intervals.", "dim"))
    if judges_pairs(rows(trials, questions)):
        out.print(Text(PARSERS, "dim"))


def _choosing(scorer: Scorer | None) -> str:
    if scorer is None:
        return "Without a scorer, paths vote."
    note = "" if scorer.calibrated else ", whose scores are not calibrated"
    return f"Paths are chosen by the scorer {scorer.name}{note}."


def _table(title: str, made: Sequence[DemoRow]) -> Table:
    judged = any(row.orders_disagree is not None for row in made)
    pairs = judges_pairs(made)
    headings = ["accuracy", *([REWARDBENCH] if pairs else []), "tokens", "reasoned"]
    headings += [*(["orders disagree"] if judged else []), "not ok", "s"]
    table = Table("method", *(Column(heading, right=True) for heading in headings), title=title)
    for row in made:
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        disagree = "" if row.orders_disagree is None else f"{row.orders_disagree:.1%}"
        rewardbench = "" if row.rewardbench is None else row.rewardbench.percent()
        cells = [row.accuracy.percent(), *([rewardbench] if pairs else []), f"{row.tokens:.1f}", f"{row.escalated:.1%}"]
        cells += [*([disagree] if judged else []), str(row.failed), seconds]
        table.add_row(row.method, *cells)
    return table
