"""`egrm bench`: compare methods on questions with known answers."""

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
from egrm_graph.terminal.tables import Table, standard_output

if TYPE_CHECKING:
    from egrm_graph.benchmark.bench_folder import BenchPlan, BenchRun
    from egrm_graph.benchmark.held_out import BenchQuestion
    from egrm_graph.tracing.store import Store

HELD_OUT = "held-out"
DEFAULT_METHODS = "never,always,random,oracle,egrm,sc@4,sc@8,adaptive,esc@5"


def _list_methods(wanted: bool) -> None:
    if wanted:
        from egrm_graph.benchmark.bench_methods import METHODS

        table = Table("", "")
        for method in METHODS:
            table.add_row(method.name, method.help)
        standard_output().print(table)
        raise typer.Exit


@with_settings
def bench(
    settings: Settings,
    questions: Annotated[
        str,
        typer.Argument(
            metavar="FILE|held-out",
            help="JSON lines with question and reference; held-out, the default: the bundled model's sums.",
            show_default=False,
        ),
    ] = HELD_OUT,
    *,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("bench"),
    methods: Annotated[
        str,
        typer.Option(metavar="NAME,...", help="Methods to compare.", show_default=DEFAULT_METHODS.replace(",", ", ")),
    ] = DEFAULT_METHODS,
    list_methods: Annotated[  # noqa: ARG001 - its callback prints them
        bool, typer.Option("--list-methods", help="List the methods.", callback=_list_methods, is_eager=True)
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Use only the first N questions.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Questions at once, at most.")] = 32,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --output.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over, and replace --output.")] = False,
) -> None:
    """Compare methods on one model: accuracy, tokens, and latency, with paired 95 % intervals.

    \fFILE holds JSON lines with a "question" and a "reference", and optionally "candidates", a "level", or an "id". It
    may also be a published file of GSM8K, MATH-500, RewardBench, RM-Bench, JudgeBench, or LLMBar, plain, gzipped, or
    in Parquet. Without FILE, the questions are the held-out ones of the bundled model.

    --output gets results.jsonl, figures.json, table.md, and, with the extra train, results.parquet and plot.png.
    """
    require_extra("stats", "`egrm bench`", "numpy")
    from egrm_graph.benchmark.bench_figures import rows
    from egrm_graph.benchmark.bench_folder import RESULTS, BenchFolder, BenchPlan, setup_of
    from egrm_graph.benchmark.bench_output import table, write

    out, err = standard_output(), Console(stderr=True, highlight=False)
    names = _names(methods)
    selected = _questions(questions, settings, limit)
    folder = BenchFolder(output)
    done = folder.start(setup_of(settings, selected), resume=resume, overwrite=overwrite)
    try:
        with recorded(settings, err) as store:
            run = asyncio.run(_run(settings, store, names, BenchPlan(selected, folder, done, concurrency), err))
    except KeyboardInterrupt:
        err.print(Text(f"egrm: interrupted; run the same command with --resume to continue {output}"), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    if run.lost:
        name, reason = next(iter(run.lost.items()))
        err.print(Text(f"egrm: {len(run.lost)} questions could not be asked, and do not count; {name}: {reason}"))
    made = rows(run.results, names)
    out.print(table(made, f"{len(selected):,} questions, at most {concurrency} at once"))
    out.print(Text("Tokens are completion tokens per question. Brackets are 95 % intervals.", "dim"))
    written = [output / RESULTS, *write(output, made, run.results)]
    err.print(Text("written: " + ", ".join(map(str, written))), soft_wrap=True)


def _names(methods: str) -> list[str]:
    names = [name.strip() for name in methods.split(",") if name.strip()]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SettingsError(f"--methods has {', '.join(repeated)} twice; name each method once")
    if not names:
        raise SettingsError("--methods is empty; name at least one method")
    return names


def _questions(source: str, settings: Settings, limit: int | None) -> list[BenchQuestion]:
    from egrm_graph.benchmark.held_out import held_out
    from egrm_graph.benchmark.published_sets import read_questions

    if source == HELD_OUT:
        return held_out(limit or 1000, settings.task_name)
    questions = read_questions(Path(source))
    return questions if limit is None else questions[:limit]


async def _run(
    settings: Settings, store: Store | None, names: Sequence[str], plan: BenchPlan, err: Console
) -> BenchRun:
    from egrm_graph.benchmark.bench_methods import build_methods

    parts = await loaded(settings, store, err)
    columns = (TextColumn("{task.description:>24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        methods = build_methods(parts, names)
        with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
            total = len(plan.questions)
            bars = {method.name: progress.add_task(method.name, total=total, start=False) for method in methods}

            def advance(name: str, more: int) -> None:
                progress.start_task(bars[name])
                progress.advance(bars[name], more)

            return await plan.run(methods, advance)
    finally:
        await parts.aclose()
