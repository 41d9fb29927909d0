"""The output of `egrm trees`: tables for the terminal, and a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from egrm_graph.benchmark.tree_comparison import ChoiceRow, TreeRow
from egrm_graph.plotting import Diagram
from egrm_graph.terminal.tables import Column, Table

NONE = "-"


def tree_table(rows: Sequence[TreeRow], title: str, base: str) -> Table:
    """A row for each way to draw paths."""
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
    """A plot of accuracy against tokens; nothing without matplotlib."""
    if find_spec("matplotlib") is None:
        return []
    diagram = Diagram("completion tokens per question", "questions, %")
    for label, values, color in (
        ("any path right", [row.any_right.value for row in rows], "C2"),
        ("chosen", [row.chosen.value for row in rows], "C0"),
        ("majority", [row.majority.value for row in rows], "C1"),
    ):
        trees = [i for i, row in enumerate(rows) if row.name.startswith("tree")]
        others = [i for i in range(len(rows)) if i not in trees]
        for kind, which, marker in (("trees", trees, "o"), ("samples", others, "s")):
            if which:
                diagram.axes.plot(
                    [rows[i].tokens.value for i in which],
                    [100 * values[i] for i in which],
                    marker,
                    color=color,
                    label=f"{label}, {kind}",
                    fillstyle="full" if kind == "trees" else "none",
                )
    for row in rows:
        diagram.axes.annotate(
            row.name.removeprefix("tree, "), (row.tokens.value, 100 * row.any_right.value), fontsize=6, rotation=30
        )
    diagram.axes.set_xscale("log")
    file.write_bytes(diagram.png())
    return [file]


def _number(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.2f}"
