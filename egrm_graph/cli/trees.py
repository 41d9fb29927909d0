"""`egrm trees`: compare entropy trees at several thresholds, and what may be chosen among their leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from egrm_graph.cli.bench import saving
from egrm_graph.cli.model_loading import loaded
from egrm_graph.cli.shared_options import with_settings
from egrm_graph.errors import SettingsError
from egrm_graph.runtime.extras import require_extra
from egrm_graph.settings import Settings
from egrm_graph.terminal.tables import standard_output

if TYPE_CHECKING:
    from egrm_graph.benchmark.held_out import BenchQuestion
    from egrm_graph.benchmark.path_sets import PathSet
    from egrm_graph.benchmark.tree_comparison import SetDrawing
    from egrm_graph.scoring.scorer import Scorer

DEFAULT_ENTROPIES = "0.02,0.05,0.1,0.2,0.3,0.5,0.7,1.0"


@with_settings
def trees(
    settings: Settings,
    questions: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Questions; without FILE, the bundled model's.", show_default=False),
    ] = None,
    *,
    output: Annotated[Path, typer.Option(help="Folder for the figures and the plot.")] = Path("trees"),
    entropies: Annotated[
        str, typer.Option(metavar="NATS,...", help="Thresholds of anchors; `none` for no such trees.")
    ] = DEFAULT_ENTROPIES,
    quantiles: Annotated[
        str | None, typer.Option(metavar="SHARE,...", help="Also thresholds as quantiles of a path's entropies.")
    ] = None,
    prune: Annotated[
        str | None, typer.Option(metavar="SCORE,...", help="Also prune at the first threshold, below these scores.")
    ] = None,
    independent: Annotated[
        str | None, typer.Option(metavar="N,...", help="Also so many independent samples.", show_default=False)
    ] = None,
    process_reward: Annotated[Path | None, typer.Option(metavar="FOLDER", help="One more scorer to compare.")] = None,
    choice: Annotated[
        str | None, typer.Option(metavar="NAME", help="The choice in the first table.", show_default=False)
    ] = None,
    sample: Annotated[int | None, typer.Option(min=1, metavar="N", help="Use only N questions of each file.")] = None,
    sample_seed: Annotated[int, typer.Option(metavar="N", help="Which ones to sample.")] = 0,
    levels: Annotated[str | None, typer.Option(metavar="1-3,...", help="Use only questions of these levels.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Questions at once, at most.")] = 32,
    draws: Annotated[Path | None, typer.Option(help="Folder that saves and reuses all draws.")] = None,
    draws_only: Annotated[bool, typer.Option("--draws-only", help="Ask no model; only use saved draws.")] = False,
) -> None:
    """Compare entropy trees at several thresholds, next to independent samples, with 95 % intervals.

    Every question gets a tree of at most --paths leaves (8 if not set) at each threshold.

    \fThe first table has, for each way to draw paths, whether any path is right, what votes and the graph's choice come
    to, tokens, leaves, and anchors per path, the share of labels of steps that are neither 0 nor 1, and the share of
    pairs of a right and a wrong path that each scorer orders correctly. The second one compares every choice on the
    first trees. --steps says where steps end; in a tree, also at its anchors.

    Trees share most of their branches, and each branch is drawn once: everything that the model answers is saved in
    --draws, or in --output. So a later run with other thresholds asks for little.

    --output gets figures.json, with the choices among all sets of paths, and, with the extra train, trees.png.
    """
    require_extra("stats", "`egrm trees`", "numpy")
    from egrm_graph.benchmark.path_sets import AS_IN_THE_GRAPH, choosers
    from egrm_graph.benchmark.question_sets import HELD_OUT, Choice, Levels, read_sets
    from egrm_graph.benchmark.tree_comparison import choice_rows, drawings, end_choice, tree_rows
    from egrm_graph.benchmark.tree_output import choice_table, plot, tree_table
    from egrm_graph.parts import load_scorer

    out, err = standard_output(), Console(stderr=True, highlight=False)
    if settings.paths is None:
        settings = settings.model_copy(update={"paths": 8})
    nats = [] if entropies == "none" else _numbers("--entropies", entropies)
    wanted = drawings(
        nats,
        _numbers("--quantiles", quantiles),
        _numbers("--prune", prune),
        [int(n) for n in _numbers("--independent", independent)],
    )
    if not wanted:
        raise SettingsError(
            "nothing to draw; name thresholds with --entropies, or numbers of samples with --independent"
        )
    if draws_only and draws is None:
        raise SettingsError("--draws-only needs --draws FOLDER")
    selected = read_sets(
        questions or [HELD_OUT],
        settings.task_name,
        Choice(None if levels is None else Levels.read(levels), sample, sample_seed),
    )
    output.mkdir(parents=True, exist_ok=True)
    others = {} if process_reward is None else {process_reward.resolve().name: load_scorer(process_reward)}
    folder = draws or output / "draws"
    sets, scorers = asyncio.run(
        _draw(settings, selected, wanted, others, folder, ask=not draws_only, concurrency=concurrency, err=err)
    )
    known = choosers(scorers, settings.selection, settings.leaf_prior)
    name = choice or AS_IN_THE_GRAPH
    if name not in known:
        raise SettingsError(f"--choice {name!r} is none of {', '.join(map(repr, known))}")
    base = next((each for each in reversed(sets) if each.endswith("samples")), next(iter(sets)))
    rows = tree_rows(sets, known[name], base)
    out.print(tree_table(rows, f"{len(selected):,} questions; chosen by {name}", base))
    choices = {each: choice_rows(drawn, known, end_choice(scorers)) for each, drawn in sets.items()}
    first = next(iter(sets))
    out.print(choice_table(choices[first], f"Choices among the paths of {first}", end_choice(scorers)))
    out.print(Text("Tokens are completion tokens per question. Brackets are 95 % intervals.", "dim"))
    figures = {
        "rows": [asdict(row) for row in rows],
        "choices": {each: [asdict(row) for row in of_set] for each, of_set in choices.items()},
        "chosen by": name,
    }
    (output / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    written = [output / "figures.json", *plot(rows, output / "trees.png")]
    err.print(Text("written: " + ", ".join(map(str, written))), soft_wrap=True)


def _numbers(option: str, text: str | None) -> list[float]:
    try:
        return [float(part) for part in (text or "").split(",") if part.strip()]
    except ValueError as error:
        raise SettingsError(f"{option} is {text!r}; give numbers such as 0.1,0.2") from error


async def _draw(
    settings: Settings,
    questions: Sequence[BenchQuestion],
    wanted: Sequence[SetDrawing],
    others: Mapping[str, Scorer],
    folder: Path,
    *,
    ask: bool,
    concurrency: int,
    err: Console,
) -> tuple[dict[str, list[PathSet]], list[str]]:
    """The sets of paths by name, and the names of the scorers."""
    from egrm_graph.benchmark.tree_comparison import draw_sets

    parts = await loaded(settings, None, err, wrapped=saving(folder, ask=ask))
    columns = (TextColumn("{task.description:>30}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    own = [each for each in (parts.scorer, parts.tree_scorer) if each is not None]
    scorers = {each.name: each for each in own} | dict(others)
    sets: dict[str, list[PathSet]] = {}
    try:
        with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
            for drawing in wanted:
                bar = progress.add_task(drawing.name, total=len(questions))
                advance = lambda bar=bar: progress.advance(bar)  # noqa: E731
                sets |= await draw_sets(parts, questions, drawing, scorers, advance=advance, concurrency=concurrency)
    finally:
        await parts.aclose()
        for scorer in others.values():
            await scorer.aclose()
    return sets, list(scorers)
