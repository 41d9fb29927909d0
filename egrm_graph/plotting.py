"""Draw plots as PNG without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Steps = Sequence[Mapping[str, float]]
"""The figures of each step, by name."""

COLORS = {"scorer's choice": "C0", "majority": "C1", "any path right": "C2", "pairs in order": "C3"}
"""Used in every plot."""


class Diagram:
    """A diagram with a legend."""

    def __init__(self, across: str, up: str) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._figure = Figure(figsize=(6, 4), layout="constrained")
        FigureCanvasAgg(self._figure)
        self.axes: Axes = self._figure.subplots()
        self.axes.set(xlabel=across, ylabel=up)
        self.axes.grid(alpha=0.3)

    def lines(self, entries: Steps, names: Mapping[str, str], by: str = "step") -> None:
        for name, label in names.items():
            points = [(entry[by], entry[name]) for entry in entries if name in entry]
            if points:
                self.axes.plot(*zip(*points, strict=True), label=label, color=COLORS.get(label), marker=".")

    def png(self) -> bytes:
        if self.axes.get_legend_handles_labels()[0]:
            self._figure.legend(loc="outside upper center", ncols=3)
        written = BytesIO()
        self._figure.savefig(written, dpi=120)
        return written.getvalue()
