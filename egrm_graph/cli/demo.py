"""`egrm demo`: the main job on held-out questions, against never and always reasoning."""

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
    from egrm_graph.benchmark.held_out import Question
    from egrm_graph.scoring.scorer import Scorer
    from egrm_graph.tracing.store import Store
    from egrm_graph.verification import Verification


@with_settings
@interruptible
def demo(
    settings: Settings,
    questions: Annotated[int, typer.Option(min=1, help="Held-out questions to ask.")] = 500,
    levels: Annotated[bool, typer.Option("--levels", help="A table for each level of difficulty, too.")] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to this file as well.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions under way at once.")] = 128,
) -> None:
    """Compare never reasoning, always reasoning and E-GRM, and tell one question step by step.

    With --task pairwise or best_of_n, the model judges held-out pairs or lists of answers.
    """
    require_extra("stats", "`egrm demo`", "numpy")
    from egrm_graph.benchmark.demo_figures import report
    from egrm_graph.benchmark.held_out import held_out
    from egrm_graph.cli.comparison_table import print_tables

    out, err = standard_output(), Console(stderr=True)
    asked = held_out(questions, settings.task_name)
    with recorded(settings, err) as store:
        found = asyncio.run(compared(settings, store, asked, concurrency, err))
        if json_path is not None:
            json_path.write_text(json.dumps(report(found.trials, asked), indent=1) + "\n")
        print_tables(found.trials, asked, out, levels=levels, scorer=found.scorer)
        if found.alone is not None:
            verification, question = found.alone
            out.print()
            out.print(Text(f"One question step by step: {question.text} (right is {question.reference})", "bold"))
            show(verification, out)


@dataclass(frozen=True)
class Compared:
    """What the strategies made of the questions."""

    trials: list[Trial]
    scorer: Scorer | None
    """What chose among the paths."""
    alone: tuple[Verification, Question] | None
    """The most telling question, asked once more on its own: among others, its time is mostly theirs."""


async def compared(
    settings: Settings, store: Store | None, questions: Sequence[Question], concurrency: int, err: Console
) -> Compared:
    """Asks the questions by each strategy, at most `concurrency` at once."""
    from egrm_graph.benchmark.demo_methods import run, strategies

    parts = await loaded(settings, store, err)
    columns = (TextColumn("{task.description:>13}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        made = strategies(parts)
        with Progress(*columns, console=err) as progress:
            trials = []
            for strategy in made:
                task = progress.add_task(strategy.name, total=len(questions))
                trials.append(await run(strategy, questions, concurrency, partial(progress.advance, task)))
        alone = None
        if (question := _most_telling(trials[-1])) is not None:
            told = (await made[-1].answer(question)).verification
            alone = None if told is None else (told, question)
        return Compared(trials, parts.scorer, alone)
    finally:
        await parts.aclose()


def _most_telling(gated: Trial) -> Question | None:
    """The question that was reasoned about, came out right, and had the most different answers among its paths."""
    escalated = [
        (outcome.verification, question)
        for outcome, question in zip(gated.outcomes, gated.questions, strict=True)
        if outcome.verification is not None and outcome.escalated and outcome.right
    ]
    most = max(escalated, key=lambda entry: len({path["answer"] for path in entry[0]["paths"]}), default=None)
    return None if most is None else most[1]
