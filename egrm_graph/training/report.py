"""The report that training leaves behind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_report(folder: Path, report: Mapping[str, Any], curve: Sequence[Mapping[str, float]]) -> None:
    """`report.json` with the report and its curve, and the curve drawn in `report.png`."""
    (folder / "report.json").write_text(json.dumps({**report, "curve": list(curve)}, indent=2) + "\n", "utf-8")
    _draw(folder / "report.png", curve)


def _draw(file: Path, curve: Sequence[Mapping[str, float]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    losses, shares = figure.subplots(1, 2)
    for axes, title, names in (
        (losses, "loss", {"loss": "training", "eval_loss": "held out"}),
        (
            shares,
            "share of held-out questions",
            {
                "eval_best_of_n": "scorer's choice",
                "eval_majority": "majority",
                "eval_oracle": "any path right",
                "eval_pairwise": "pairs in order",
            },
        ),
    ):
        for name, label in names.items():
            points = [(entry["step"], entry[name]) for entry in curve if entry.get(name) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), label=label, marker=".")
        axes.set(xlabel="step", title=title)
        axes.legend(loc="lower left")
    figure.savefig(file, dpi=120)
