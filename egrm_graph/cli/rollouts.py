"""`egrm rollouts`: draw paths for questions with references, and mark each right or wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from egrm_graph.cli.answering import Answering
from egrm_graph.cli.interruption import INTERRUPTED
from egrm_graph.cli.json_lines import Line
from egrm_graph.cli.jsonl_job import (
    ConcurrencyOption,
    FileArgument,
    JsonlJob,
    OutputOption,
    OverwriteOption,
    ResumeOption,
)
from egrm_graph.cli.run_progress import RolloutCounts
from egrm_graph.cli.shared_options import with_settings
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.settings import PATHS, Settings

if TYPE_CHECKING:
    from egrm_graph.parts import Parts
    from egrm_graph.training.roll_out import RolloutRow
    from egrm_graph.training.step_completions import FixedSteps

TREE = "entropy_tree"
"""The strategy whose paths are labeled. It may draw fewer paths than wanted."""

StepEndOption = Annotated[str | None, typer.Option(metavar="RULE", help="Label each step; RULE says where it ends.")]
CompletionsOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help=r"Completions per step, for its label. \[default: 8]")
]


@with_settings
def rollouts(
    file: FileArgument,
    *,
    settings: Settings,
    output: OutputOption = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    concurrency: ConcurrencyOption = 32,
    step_end: StepEndOption = None,
    completions: CompletionsOption = None,
) -> None:
    """Draw reasoning paths for questions, to train a scorer on. Each line with a "question" and a "reference", its
    correct answer, gives one line out.

    Exit status: 0 when every line has its paths, 1 when some have none, 2 when nothing could be asked.

    \fThe lines out are in the order of the lines in. A line in may have a "level". It needs a unique id, because
    --resume goes by it. Without an "id", that is the line number.

    A line out has the paths (--paths of them), each with its answer, whether that is right, its tokens, and their
    log-probabilities; and the requests and the tokens that they took. If the line could not be asked, it has the line
    number and the reason as "error", and the other lines continue.

    With --strategy entropy_tree, the paths form a tree of at most --paths leaves, and each stretch between two branches
    is labeled by the leaves after it.

    With --step-end, paths (one, unless --paths is given) are cut into steps that end with `lines`, with `sentences`, or
    with what a regular expression matches, and each is labeled by --completions drawn from its end.

    An --output that ends in .parquet is converted to Parquet once all paths are drawn.
    """
    if settings.steps not in ("auto", "none"):
        raise SettingsError(
            f"steps={settings.steps!r} (--steps) says which steps a scorer scores, and here nothing is scored; to "
            "label steps, use --step-end, or leave --steps out"
        )
    # No scorer is loaded or called.
    settings = settings.model_copy(
        update={"scorer": None, "scorer_url": None, "tree_scorer": None, "aggregation": "auto"}
    )
    steps = _fixed_steps(step_end, completions)
    if steps is not None:
        steps.check_settings(settings)
        settings = settings.model_copy(update={"paths": settings.paths or 1})
    with _lines_file(output, resume=resume, overwrite=overwrite) as lines:
        job = JsonlJob.prepared(file, lines, concurrency, resume=resume, overwrite=overwrite, unique_ids=True)
        if lines is not None and resume and lines.exists():
            _refuse_other_rollouts(lines, settings, labeled=steps is not None or settings.strategy == TREE)
        err = Console(stderr=True, highlight=False)
        job.run(settings, lambda parts: _answering(parts, steps), RolloutCounts(), err)


def _fixed_steps(step_end: str | None, completions: int | None) -> FixedSteps | None:
    """How paths are cut into steps, by the options.

    Raises:
        SettingsError: they do not go together.
    """
    if step_end is None:
        if completions is not None:
            raise SettingsError(
                f"--completions {completions} draws from the ends of steps, and nothing says where steps end; add "
                "--step-end, such as --step-end lines"
            )
        return None
    from egrm_graph.training.step_completions import COMPLETIONS, FixedSteps

    return FixedSteps(step_end, completions or COMPLETIONS)


def _refuse_other_rollouts(lines: Path, settings: Settings, *, labeled: bool) -> None:
    paths = settings.paths or PATHS
    with lines.open("rb") as stream:
        for number, raw in enumerate((raw for raw in stream if raw.endswith(b"\n")), start=1):
            row = json.loads(raw)
            found = row.get("paths", ())
            drawn = len(found) + row.get("lost", 0)
            if found and labeled != any("steps" in path for path in found):
                raise SettingsError(
                    f"line {number} of {lines} has {'no labeled' if labeled else 'labeled'} steps; resume with the "
                    "options that it was written with, or name another --output"
                )
            if drawn > paths or ("paths" in row and drawn < paths and settings.strategy != TREE):
                raise SettingsError(
                    f"line {number} of {lines} has {drawn} paths, and --paths is {paths}; "
                    f"resume with --paths {drawn}, or name another --output"
                )


@contextmanager
def _lines_file(output: Path | None, *, resume: bool, overwrite: bool) -> Iterator[Path | None]:
    """The file of lines to write. Nothing can be appended to Parquet, so its lines first go to a file next to it."""
    if output is None or output.suffix != ".parquet":
        yield output
        return
    from egrm_graph.training.parquet import require_pyarrow, to_parquet

    require_pyarrow()
    lines = output.with_name(f"{output.name}.jsonl")
    if output.exists() and not overwrite and not (resume and lines.exists()):
        raise InputError(f"{output} exists and is complete; name another file, or start over with --overwrite")
    try:
        yield lines
    except typer.Exit as ended:
        if ended.exit_code != INTERRUPTED:
            to_parquet(lines, output)
            lines.unlink()
        raise


def _answering(parts: Parts, steps: FixedSteps | None) -> Answering[RolloutRow]:
    from egrm_graph.training.roll_out import roll_out

    if steps is not None:
        steps.check_client(parts.client)

    async def answer(line: Line) -> RolloutRow:
        level = line.others.get("level")
        return await roll_out(parts, line.inputs, level if isinstance(level, int) else None, steps)

    return Answering(answer, lambda row: not row["paths"], parts.client.check)
