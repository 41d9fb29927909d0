"""`egrm demo`: compare E-GRM on held-out questions with never and always reasoning."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from egrm_graph.cli.interruption import interruptible
from egrm_graph.cli.model_loading import loaded, recorded
from egrm_graph.cli.shared_options import with_settings
from egrm_graph.runtime.extras import require_extra
from egrm_graph.settings import Settings
from egrm_graph.terminal.tables import standard_output
from egrm_graph.terminal.verification_text import show

if TYPE_CHECKING:
    from egrm_graph.benchmark.demo_methods import Trial
    from egrm_graph.benchmark.held_out import BenchQuestion
    from egrm_graph.scoring.scorer import Scorer
    from egrm_graph.tracing.store import Store
    from egrm_graph.verification import Verification


@with_settings
@interruptible
def demo(
    settings: Settings,
    questions: Annotated[int, typer.Option(min=1, metavar="N", help="Number of held-out questions.")] = 500,
    levels: Annotated[bool, typer.Option("--levels", help="Also print a table for each level of difficulty.")] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write the figures to this file.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Questions at once, at most.")] = 128,
) -> None:
    """Compare never reasoning, always reasoning, and E-GRM, and show one question step by step.

    With --task pairwise or best_of_n, the model judges held-out pairs or lists of answers.
    """
    require_extra("stats", "`egrm demo`", "numpy")
    from egrm_graph.benchmark.demo_figures import report
    from egrm_graph.benchmark.held_out import held_out
    from egrm_graph.cli.comparison_table import print_tables

    out, err = standard_output(), Console(stderr=True)
    selected = held_out(questions, settings.task_name)
    with recorded(settings, err) as store:
        result = asyncio.run(run_demo(settings, store, selected, concurrency, err))
        if json_path is not None:
            json_path.write_text(json.dumps(report(result.trials, selected), indent=1) + "\n")
        print_tables(result.trials, selected, out, levels=levels, scorer=result.scorer)
        if result.example is not None:
            verification, question = result.example
            out.print()
            out.print(Text(f"One question step by step: {question.text} (correct: {question.reference})", "bold"))
            show(verification, out)


@dataclass(frozen=True)
class DemoResult:
    """The trials of the methods, and one question as an example."""

    trials: list[Trial]
    scorer: Scorer | None
    """The scorer that chose among the paths."""
    example: tuple[Verification, BenchQuestion] | None
    """The most instructive question, asked again on its own. In parallel with others, most of its time is theirs."""


async def run_demo(
    settings: Settings, store: Store | None, questions: Sequence[BenchQuestion], concurrency: int, err: Console
) -> DemoResult:
    """Ask the questions with each method, at most `concurrency` at once."""
    from egrm_graph.benchmark.demo_methods import demo_methods, run_method

    parts = await loaded(settings, store, err)
    columns = (TextColumn("{task.description:>13}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        methods = demo_methods(parts)
        with Progress(*columns, console=err) as progress:
            trials = []
            for method in methods:
                task = progress.add_task(method.name, total=len(questions))
                trials.append(await run_method(method, questions, concurrency, partial(progress.advance, task)))
        example = None
        if (question := _most_instructive(trials[-1])) is not None:
            verification = (await methods[-1].answer(question)).verification
            example = None if verification is None else (verification, question)
        return DemoResult(trials, parts.scorer, example)
    finally:
        await parts.aclose()


def _most_instructive(gated: Trial) -> BenchQuestion | None:
    """The question with a reasoned, right answer and the most different answers among its paths."""
    reasoned = [
        (outcome.verification, question)
        for outcome, question in zip(gated.outcomes, gated.questions, strict=True)
        if outcome.verification is not None and outcome.escalated and outcome.right
    ]
    most = max(reasoned, key=lambda entry: len({path["answer"] for path in entry[0]["paths"]}), default=None)
    return None if most is None else most[1]
