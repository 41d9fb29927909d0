"""The output of a benchmark: a table for the terminal, one for a README, a plot, JSON, and Parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from egrm_graph.benchmark.bench_figures import BenchRow
from egrm_graph.benchmark.bench_folder import MethodResult
from egrm_graph.benchmark.demo_figures import DemoRow
from egrm_graph.intervals import Estimate
from egrm_graph.terminal.tables import Column, Table

NONE = "-"
"""In a cell of what was not drawn or not measured."""
HEADINGS = (
    "method",
    "accuracy",
    "points over always",
    "tokens",
    "reasoned",
    "cancelled",
    "unreadable",
    "p50 s",
    "p95 s",
    "falls short of",
)


REWARDBENCH = "by RewardBench"
"""The heading of a second accuracy, next to the first; only for pairs."""
PARSERS = "A pair without a verdict, or with a tie in place of a winner, is wrong; by RewardBench, it is half right."


def cells(row: BenchRow) -> tuple[str, ...]:
    """The cells of one row, without the accuracy by RewardBench."""
    short = "" if row.short_by is None else f"{row.short_of} by {row.short_by.points().lstrip('+')}"
    return (
        row.method,
        row.accuracy.percent(),
        "" if row.points is None else row.points.points(),
        f"{row.tokens.value:.1f} [{row.tokens.low:.1f}, {row.tokens.high:.1f}]",
        f"{row.escalated:.1%}",
        "" if row.cancelled_tokens is None else f"{row.cancelled_tokens:.1f}",
        "" if row.failed is None else f"{_share(row.unreadable_fast)} / {_share(row.unreadable_paths)}",
        _seconds(row, row.p50_s),
        _seconds(row, row.p95_s),
        short,
    )


def judges_pairs(rows: Sequence[BenchRow | DemoRow]) -> bool:
    """Whether the table has the accuracy by RewardBench, too."""
    return any(row.rewardbench is not None for row in rows)


def _headings(rows: Sequence[BenchRow]) -> tuple[str, ...]:
    return (*HEADINGS[:2], REWARDBENCH, *HEADINGS[2:]) if judges_pairs(rows) else HEADINGS


def _all_cells(row: BenchRow, rows: Sequence[BenchRow]) -> tuple[str, ...]:
    made = cells(row)
    if not judges_pairs(rows):
        return made
    return (*made[:2], "" if row.rewardbench is None else row.rewardbench.percent(), *made[2:])


def _share(share: Estimate | None) -> str:
    return NONE if share is None else f"{share.value:.1%}"


def _seconds(row: BenchRow, seconds: float | None) -> str:
    if row.failed is None:
        return ""
    return NONE if seconds is None else f"{seconds:.2f}"


def table(rows: Sequence[BenchRow], title: str) -> Table:
    """The table for the terminal."""
    names = (HEADINGS[0], HEADINGS[-1])
    made = Table(*(Column(heading, right=heading not in names) for heading in _headings(rows)), title=title)
    for row in rows:
        made.add_row(*_all_cells(row, rows))
    return made


def markdown(rows: Sequence[BenchRow]) -> str:
    """The table for a README."""
    headings = _headings(rows)
    lines = [headings, ("---",) * len(headings), *(_all_cells(row, rows) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(folder: Path, rows: Sequence[BenchRow], results: Sequence[MethodResult]) -> list[Path]:
    """Write `figures.json`, `table.md`, and, with the extra `train`, `results.parquet` and `plot.png`."""
    written = [folder / "figures.json", folder / "table.md"]
    written[0].write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", "utf-8")
    written[1].write_text(markdown(rows), "utf-8")
    try:
        import matplotlib  # noqa: F401
        import pyarrow
    except ImportError:
        return written
    from pyarrow import parquet

    written += [folder / "results.parquet", folder / "plot.png"]
    parquet.write_table(pyarrow.Table.from_pylist([asdict(result) for result in results]), written[2])
    written[3].write_bytes(plot(rows))
    return written


def plot(rows: Sequence[BenchRow]) -> bytes:
    """Accuracy against tokens with 95 % intervals, as PNG. A dot is filled if no cheaper method is more accurate."""
    from io import BytesIO

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, max(5.0, 0.17 * len(rows))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for row in rows:
        x, y = row.tokens.value, 100 * row.accuracy.value
        up = [[y - 100 * row.accuracy.low], [100 * row.accuracy.high - y]]
        across = [[x - row.tokens.low], [row.tokens.high - x]]
        color = "C1" if row.method.startswith("egrm") else "C7" if row.failed is None else "C0"
        filled = color if row.short_of is None else "white"
        axes.errorbar(x, y, yerr=up, xerr=across, fmt="o", color=color, markerfacecolor=filled, elinewidth=0.4)
    for (x, y), numbers in _together(rows):
        axes.annotate(numbers, (x, y), xytext=(5, 5), textcoords="offset points", fontsize=7)
    names = "\n".join(f"{i} {row.method}" for i, row in enumerate(rows, start=1))
    axes.annotate(names, (1.02, 1.0), xycoords="axes fraction", va="top", fontsize=7, annotation_clip=False)
    axes.set(xlabel="completion tokens per question", ylabel="accuracy, %", xscale="log")
    axes.grid(alpha=0.3, which="both")
    written = BytesIO()
    figure.savefig(written, dpi=120)
    return written.getvalue()


def _together(rows: Sequence[BenchRow]) -> list[tuple[tuple[float, float], str]]:
    """Places for labels, each with the numbers of the methods that are too close to be labeled one by one."""
    groups: list[tuple[tuple[float, float], list[int]]] = []
    for i, row in enumerate(rows, start=1):
        x, y = row.tokens.value, 100 * row.accuracy.value
        near = (members for (a, b), members in groups if abs(x / a - 1) < 0.08 and abs(y - b) < 0.25)
        if (members := next(near, None)) is not None:
            members.append(i)
        else:
            groups.append(((x, y), [i]))
    return [(place, ", ".join(map(str, members))) for place, members in groups]
