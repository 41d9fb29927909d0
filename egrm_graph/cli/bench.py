"""`egrm bench`: strategies side by side on questions whose answers are known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from egrm_graph.cli.interruption import INTERRUPTED
from egrm_graph.cli.model_loading import loaded, recorded
from egrm_graph.cli.shared_options import with_settings
from egrm_graph.errors import SettingsError
from egrm_graph.runtime.extras import require_extra
from egrm_graph.settings import Settings
from egrm_graph.terminal.tables import standard_output

if TYPE_CHECKING:
    from egrm_graph.benchmark.bench_folder import Planned, Run
    from egrm_graph.benchmark.held_out import Question
    from egrm_graph.tracing.store import Store

HELD_OUT = "held-out"
USUAL = "never,always,random,oracle,egrm,sc@4,sc@8,adaptive,esc@5"


@with_settings
def bench(
    settings: Settings,
    questions: Annotated[
        str, typer.Argument(metavar="FILE|held-out", help="Questions with known answers, or the bundled model's own.")
    ] = HELD_OUT,
    *,
    output: Annotated[Path, typer.Option(help="The folder that the results go to.")] = Path("bench"),
    strategies: Annotated[
        str, typer.Option(metavar="NAME,NAME,...", help="What is compared; see below for the names.")
    ] = USUAL,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many of the questions.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions under way at once.")] = 32,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what --output holds.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start --output anew.")] = False,
) -> None:
    """Compare strategies on one model: accuracy against tokens, with paired 95 % intervals, and latency.

    FILE holds JSON lines with a "question" and a "reference" (and perhaps "candidates", "level" or an "id"), or is one
    of the published files of GSM8K, MATH-500, RewardBench, RM-Bench, JudgeBench or LLMBar; gzipped or Parquet, too.

    Strategies: never, always, random, oracle; egrm, egrm:MEASURE, egrm:MEASURE=THRESHOLD, egrm@SAMPLES, egrm+STOPPING
    and their combinations in this order; sc@N, adaptive, esc@N, self-certainty@N, deepconf@N.

    --output gets results.jsonl, figures.json, table.md and, with the extra train, results.parquet and plot.png.
    """
    require_extra("stats", "`egrm bench`", "numpy")
    from egrm_graph.benchmark.bench_figures import rows
    from egrm_graph.benchmark.bench_folder import Folder, Planned, setup_of
    from egrm_graph.benchmark.bench_output import table, write

    out, err = standard_output(), Console(stderr=True, highlight=False)
    names = _names(strategies)
    asked = _asked(questions, settings, limit)
    folder = Folder(output)
    done = folder.start(setup_of(settings, asked), resume=resume, overwrite=overwrite)
    try:
        with recorded(settings, err) as store:
            run = asyncio.run(_run(settings, store, names, Planned(asked, folder, done, concurrency), err))
    except KeyboardInterrupt:
        err.print(Text(f"egrm: interrupted; the same command with --resume goes on with {output}"), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    if run.lost:
        name, reason = next(iter(run.lost.items()))
        err.print(Text(f"egrm: {len(run.lost)} questions could not be asked and count nowhere; {name}: {reason}"))
    made = rows(run.results, names)
    out.print(table(made, f"{len(asked):,} questions, {concurrency} under way at once"))
    out.print(Text("Tokens are completion tokens a question; brackets are 95 % intervals.", "dim"))
    err.print(Text("written: " + ", ".join(map(str, write(output, made, run.results)))), soft_wrap=True)


def _names(strategies: str) -> list[str]:
    names = [name.strip() for name in strategies.split(",") if name.strip()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise SettingsError(f"--strategies names {', '.join(twice) or 'nothing'}; name each strategy once")
    return names


def _asked(questions: str, settings: Settings, limit: int | None) -> list[Question]:
    from egrm_graph.benchmark.held_out import held_out
    from egrm_graph.benchmark.published_sets import read_questions

    if questions == HELD_OUT:
        return held_out(limit or 1000, settings.task_name)
    read = read_questions(Path(questions))
    return read if limit is None else read[:limit]


async def _run(settings: Settings, store: Store | None, names: Sequence[str], planned: Planned, err: Console) -> Run:
    from egrm_graph.benchmark.bench_methods import strategies_named

    parts = await loaded(settings, store, err)
    columns = (TextColumn("{task.description:>24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        made = strategies_named(parts, names)
        with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
            total = len(planned.questions)
            bars = {strategy.name: progress.add_task(strategy.name, total=total, start=False) for strategy in made}

            def told(name: str, more: int) -> None:
                progress.start_task(bars[name])
                progress.advance(bars[name], more)

            return await planned.run(made, told)
    finally:
        await parts.aclose()
