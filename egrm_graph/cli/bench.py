"""`egrm bench`: compare methods on questions with known answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
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
    from egrm_graph.parts import Parts
    from egrm_graph.tracing.store import Store

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
        list[str] | None,
        typer.Argument(metavar="FILE", help="Questions; without FILE, the bundled model's.", show_default=False),
    ] = None,
    *,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("bench"),
    methods: Annotated[
        str,
        typer.Option(metavar="NAME,...", help="Methods; nine without this option.", show_default=False),
    ] = DEFAULT_METHODS,
    list_methods: Annotated[  # noqa: ARG001 - its callback prints them
        bool, typer.Option("--list-methods", help="List the methods.", callback=_list_methods, is_eager=True)
    ] = False,
    sample: Annotated[int | None, typer.Option(min=1, metavar="N", help="Use only N questions of each file.")] = None,
    sample_seed: Annotated[int, typer.Option(metavar="N", help="Which ones to sample.")] = 0,
    levels: Annotated[str | None, typer.Option(metavar="1-3,...", help="Use only questions of these levels.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Questions at once, at most.")] = 32,
    draws: Annotated[Path | None, typer.Option(help="Folder that saves and reuses all draws.")] = None,
    draws_only: Annotated[bool, typer.Option("--draws-only", help="Ask no model; only use saved draws.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --output.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over, and replace --output.")] = False,
) -> None:
    """Compare methods on one model, with paired 95 % intervals.

    \fFILE holds JSON lines with a "question" and a "reference", and optionally "candidates", a "level", or an "id". It
    may also be a published file of GSM8K, MATH-500, RewardBench, RM-Bench, JudgeBench, or LLMBar, plain, gzipped, or
    in Parquet. Without FILE, or as held-out, the questions are those of the bundled model. --levels names numbers,
    ranges, and names; questions without a level stay. --sample chooses at random, and a larger sample with the same
    seed contains the smaller one.

    Without --methods, the command compares never, always, random, oracle, egrm, sc@4, sc@8, adaptive, and esc@5. A
    method may end in settings, such as egrm[paths=8,selection=best_score].

    With --draws, everything that the model answers is saved in a folder as it arrives. All methods are decided on the
    same draws, and so are later runs. No time is measured then. With --draws-only, a question that needs anything else
    has no result, and the model's server does not have to run.

    --output gets results.jsonl, figures.json, table.md, and, with the extra train, results.parquet and plot.png.
    """
    require_extra("stats", "`egrm bench`", "numpy")
    from egrm_graph.benchmark.bench_figures import require_sources, rows
    from egrm_graph.benchmark.bench_folder import RESULTS, BenchFolder, BenchPlan, setup_of
    from egrm_graph.benchmark.bench_methods import find_method
    from egrm_graph.benchmark.bench_output import PARSERS, judges_pairs, table, write
    from egrm_graph.benchmark.question_sets import HELD_OUT, Choice, Levels, read_sets

    out, err = standard_output(), Console(stderr=True, highlight=False)
    names = names_in(methods)
    require_sources(names, names, {name: find_method(name).method.rate for name in names})
    if draws_only and draws is None:
        raise SettingsError("--draws-only needs --draws FOLDER")
    choice = Choice(None if levels is None else Levels.read(levels), sample, sample_seed)
    selected = read_sets(questions or [HELD_OUT], settings.task_name, choice)
    folder = BenchFolder(output)
    done = folder.start(setup_of(settings, selected, timed=draws is None), resume=resume, overwrite=overwrite)
    try:
        with recorded(settings, err) as store:
            plan = BenchPlan(selected, folder, done, concurrency, timed=draws is None)
            run = asyncio.run(_run(settings, store, names, plan, saving=saving(draws, ask=not draws_only), err=err))
    except KeyboardInterrupt:
        err.print(Text(f"egrm: interrupted; run the same command with --resume to continue {output}"), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    if run.lost:
        name, reason = next(iter(run.lost.items()))
        err.print(Text(f"egrm: {len(run.lost)} questions could not be asked, and do not count; {name}: {reason}"))
    made = rows(run.results, names)
    out.print(table(made, f"{made[0].questions:,} questions, at most {concurrency} at once"))
    out.print(Text("Tokens are completion tokens per question. Brackets are 95 % intervals.", "dim"))
    if judges_pairs(made):
        out.print(Text(PARSERS, "dim"))
    written = [output / RESULTS, *write(output, made, run.results)]
    err.print(Text("written: " + ", ".join(map(str, written))), soft_wrap=True)


def names_in(methods: str) -> list[str]:
    """The names of methods in a list.

    Raises:
        SettingsError: there are none, or one is repeated.
    """
    # Not at the commas between the settings of a method.
    names = [name.strip() for name in re.split(r",(?![^\[\]]*\])", methods) if name.strip()]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SettingsError(f"--methods has {', '.join(repeated)} twice; name each method once")
    if not names:
        raise SettingsError("--methods is empty; name at least one method")
    return names


def saving(folder: Path | None, *, ask: bool) -> Callable[[Parts], Parts]:
    """Makes the client save its draws in the folder, if there is one."""
    from egrm_graph.clients.saved_draws import SavedDraws

    def wrapped(parts: Parts) -> Parts:
        if folder is None:
            return parts
        client = SavedDraws(parts.client, folder, ask=ask)
        return replace(parts, client=client, closers=(client.aclose, *parts.closers))

    return wrapped


async def _run(
    settings: Settings,
    store: Store | None,
    names: Sequence[str],
    plan: BenchPlan,
    *,
    saving: Callable[[Parts], Parts],
    err: Console,
) -> BenchRun:
    from egrm_graph.benchmark.bench_methods import build_methods

    parts = await loaded(settings, store, err, wrapped=saving)
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
