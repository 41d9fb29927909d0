"""The output of `egrm trees`: tables for the terminal, and a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from egrm_graph.benchmark.tree_comparison import ChoiceRow, TreeRow
from egrm_graph.plotting import COLORS
from egrm_graph.terminal.tables import Column, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NONE = "-"


def tree_table(rows: Sequence[TreeRow], title: str, base: str) -> Table:
    """A row for each way to draw paths."""
    scorers = list(rows[0].in_order) if rows else []
    table = Table(
        Column("paths"),
        Column("any right"),
        Column("chosen"),
        Column(f"points over {base}"),
        Column("majority"),
        Column("by probability"),
        Column("tokens"),
        Column("leaves"),
        Column("anchors"),
        Column("labels between"),
        *(Column(f"in order, {name}") for name in scorers),
        Column("cached"),
        title=title,
    )
    for row in rows:
        table.add_row(
            row.name,
            row.any_right.percent(),
            row.chosen.percent(),
            "" if row.ahead_points is None else row.ahead_points.points(),
            f"{row.majority.value:.1%}",
            f"{row.by_probability.value:.1%}",
            f"{row.tokens.value:.1f} [{row.tokens.low:.1f}, {row.tokens.high:.1f}]",
            f"{row.leaves:.2f}",
            _number(row.anchors),
            NONE if math.isnan(row.between) else f"{row.between:.1%}",
            *(NONE if (pairs := row.in_order[name]) is None else pairs.percent() for name in scorers),
            f"{row.cached:.1%}",
        )
    return table


def choice_table(rows: Sequence[ChoiceRow], title: str, end: str) -> Table:
    """A row for each chooser."""
    table = Table(Column("choice"), Column("accuracy"), Column(f"points over {end}"), Column("closes"), title=title)
    for row in rows:
        closed = row.closed
        share = NONE if math.isnan(closed.value) else f"{closed.value:.0%} [{closed.low:.0%}, {closed.high:.0%}]"
        table.add_row(row.name, row.accuracy.percent(), row.ahead_points.points(), share)
    return table


def plot(rows: Sequence[TreeRow], file: Path) -> list[Path]:
    """Accuracy against tokens, and next to it tokens, leaves, anchors, labels, and the order of pairs for each way to
    draw paths, the cheapest first; nothing without matplotlib."""
    if find_spec("matplotlib") is None:
        return []
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplot_mosaic([["accuracy", "tokens"], ["accuracy", "sizes"], ["accuracy", "shares"]])
    _accuracy(axes["accuracy"], rows)
    rows = sorted(rows, key=lambda row: row.tokens.value)
    names = [row.name.removeprefix("tree, ") for row in rows]
    scorers = list(rows[0].in_order) if rows else []
    axes["tokens"].plot(names, [row.tokens.value for row in rows], ".-", label="tokens")
    axes["sizes"].plot(names, [row.leaves for row in rows], ".-", label="leaves")
    axes["sizes"].plot(names, [row.anchors for row in rows], ".-", label="anchors a path")
    axes["shares"].plot(names, [100 * row.between for row in rows], ".-", label="labels between 0 and 1, %")
    for name in scorers:
        ordered = [math.nan if (pairs := row.in_order[name]) is None else 100 * pairs.value for row in rows]
        axes["shares"].plot(names, ordered, ".-", label=f"pairs in order by {name}, %")
    for name in ("tokens", "sizes", "shares"):
        axes[name].grid(alpha=0.3)
        axes[name].legend(fontsize=7)
        axes[name].tick_params(axis="x", rotation=60, labelsize=7, labelbottom=name == "shares")
    figure.savefig(file, dpi=120)
    return [file]


def _accuracy(axes: Axes, rows: Sequence[TreeRow]) -> None:
    for label, values in (
        ("any path right", [row.any_right.value for row in rows]),
        ("scorer's choice", [row.chosen.value for row in rows]),
        ("majority", [row.majority.value for row in rows]),
    ):
        trees = [i for i, row in enumerate(rows) if row.name.startswith("tree")]
        others = [i for i in range(len(rows)) if i not in trees]
        for kind, which, marker in (("trees", trees, "o"), ("samples", others, "s")):
            if which:
                axes.plot(
                    [rows[i].tokens.value for i in which],
                    [100 * values[i] for i in which],
                    marker,
                    color=COLORS[label],
                    label=f"{label}, {kind}",
                    fillstyle="full" if kind == "trees" else "none",
                )
    for row in rows:
        place = (row.tokens.value, 100 * row.any_right.value)
        axes.annotate(row.name.removeprefix("tree, "), place, fontsize=6, rotation=30)
    axes.set(xscale="log", xlabel="completion tokens per question", ylabel="questions, %")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)


def _number(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.2f}"
