"""The report of a training of a language model: `report.json`, and `report.html`, a self-contained page."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

NUMBERS = ("loss", "tokens", "entropy", "score", "calibration_error")
"""Ends of the names of figures that are not shares."""


def write_fine_tuning_report(
    folder: Path,
    title: str,
    manifest: Mapping[str, Any],
    curve: Sequence[Mapping[str, float]],
    plots: Mapping[str, bytes],
) -> None:
    """Write both files. `manifest` has the origin, the counts in `data`, and in `held_out` the figures `before` and
    `after` the training. `plots` are PNG, by title."""
    report = {**manifest, "curve": list(curve)}
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["figure"] = lambda value, name: _written(name, value)
    template = environment.from_string(
        files("egrm_graph.fine_tuning").joinpath("fine_tuning_report.html.jinja").read_text("utf-8")
    )
    urls = {name: f"data:image/png;base64,{b64encode(png).decode()}" for name, png in plots.items()}
    (folder / "report.html").write_text(template.render(title=title, report=report, plots=urls), "utf-8")


def _written(name: str, value: float | None) -> str:
    """A figure as text, as a percentage if it is a share."""
    if value is None:
        return "not measured"
    return f"{value:.4g}" if name.endswith(NUMBERS) else f"{100 * value:.1f} %"
