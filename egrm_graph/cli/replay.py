"""`egrm replay`: apply gates to saved answers, without calling a model."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.calibrate import MeasuresOption, QuestionsOption, SamplesOption, measures_named, samples_named
from egrm_graph.runtime.extras import require_extra
from egrm_graph.settings import TaskName
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.terminal.terminal_text import inert

if TYPE_CHECKING:
    from egrm_graph.intervals import Estimate
    from egrm_graph.replay.answer_table import AnswerTable
    from egrm_graph.replay.curves import Curve


def replay(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A log, or a file from `egrm verify`.")],
    *,
    measure: MeasuresOption = None,
    samples: SamplesOption = None,
    questions: QuestionsOption = None,
    task: Annotated[TaskName, typer.Option(help="The task that was asked, with --questions.")] = "answer",
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an HTML page with the curves.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Show what a gate with each measure would do on saved answers, without calling a model.

    LOG has a line {"id", "fast": [sample], "paths": [sample]} for each question, where a sample is {"answer",
    "correct", "n_tokens"}, plain or gzipped. It may also be the output of `egrm verify` with a gate that never opens
    (--measure consensus --threshold 2 --stopping all). Then --questions has the references.
    """
    require_extra("stats", "`egrm replay`")
    if html is not None:
        require_extra("train", "--html", "matplotlib")
    from egrm_graph.replay.answer_table import table_of
    from egrm_graph.replay.curves import replay as curves
    from egrm_graph.replay.saved_runs import read_labelled

    table = table_of(read_labelled(log, questions, task))
    made = list(curves(table, measures_named(measure), samples_named(samples, table)))
    if html is not None:
        from egrm_graph.replay.replay_page import page

        html.write_text(page(log.name, table, made), "utf-8")
    if as_json:
        typer.echo(json.dumps(_plain(table, made), indent=1, allow_nan=False))
    else:
        _show(log.name, table, made, standard_output())


def _plain(table: AnswerTable, made: Sequence[Curve]) -> dict[str, Any]:
    always = float(table.reasoned_right.mean())
    figures = {"questions": table.n, "always": always, "curves": [asdict(curve) for curve in made]}
    plain: dict[str, Any] = _without_nan(figures)
    return plain


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _show(name: str, table: AnswerTable, made: Sequence[Curve], out: Console) -> None:
    always = made[0].points[0]
    ranking = _table(f"{name}: {table.n:,} questions", "AUROC", "AURC", "random", "oracle")
    for curve in made:
        bounds = [f"{curve.aurc_random:.3f}", f"{curve.aurc_oracle:.3f}"]
        ranking.add_row(curve.measure, str(curve.samples), _short(curve.auroc), _short(curve.aurc), *bounds)
    out.print(ranking)
    tokens = ("tokens",) if always.tokens is not None else ()
    gates = _table(
        "At each measure's published threshold", "opens at", "reasoned", "accuracy", *tokens, "random", "oracle"
    )
    for curve in made:
        at = curve.published
        cells = ["never" if at.threshold is None else f"{at.threshold:.2f}", f"{at.reasoned:.1%}", _short(at.accuracy)]
        cells += [] if at.tokens is None else [f"{at.tokens:.1f}"]
        gates.add_row(curve.measure, str(curve.samples), *cells, f"{at.random:.3f}", f"{at.oracle:.3f}")
    out.print(gates)
    summary = f"Always reasoning: accuracy {_short(always.accuracy)}"
    summary += "" if always.tokens is None else f", {always.tokens - _fast_tokens(table, made[0]):.1f} tokens"
    for m, never in sorted({curve.samples: 1 - curve.aurc_random for curve in made}.items()):
        summary += f"; never, {m} votes: {never:.3f}"
    out.print(Text(summary + "."))
    out.print(
        Text("Random and oracle gates reason about the same number of questions. Brackets are 95 % intervals.", "dim")
    )


def _table(title: str, *headings: str) -> Table:
    return Table("gate", *(Column(heading, right=True) for heading in ("M", *headings)), title=inert(title))


def _fast_tokens(table: AnswerTable, curve: Curve) -> float:
    assert table.fast_tokens is not None  # the curve has tokens
    return float(table.fast_tokens.mean()) * curve.samples


def _short(found: Estimate) -> str:
    return "none" if math.isnan(found.value) else f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
