"""The report that a training leaves behind: `report.json`, and `report.html`, a page that needs nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined

from egrm_graph.scoring.checkpoint import Manifest
from egrm_graph.training.best_of_n_curve import SETS, BestOf
from egrm_graph.training.temperature import Fit, Reliability
from egrm_graph.training.training_plots import plot_best_of_n, plot_losses, plot_reliability, plot_shares


class Report(NamedTuple):
    """What there is to tell of a training."""

    manifest: Manifest
    curve: Sequence[Mapping[str, float]]
    best_of_n: Sequence[BestOf]
    fitted: Fit | str | None
    """The calibration, or why there is none; None where none was wanted."""


def write_report(folder: Path, report: Report) -> None:
    """Writes both files."""
    told = _told(report)
    (folder / "report.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("egrm_graph.training").joinpath("report.html.jinja").read_text("utf-8"))
    (folder / "report.html").write_text(template.render(report=told, plots=_plots(report), sets=SETS), "utf-8")


def _told(report: Report) -> dict[str, Any]:
    return {
        **report.manifest.model_dump(mode="json"),
        "calibration": _calibration(report.fitted),
        "best_of_n": [point._asdict() for point in report.best_of_n],
        "curve": list(report.curve),
    }


def _calibration(fitted: Fit | str | None) -> dict[str, Any] | None:
    if fitted is None:
        return None
    if isinstance(fitted, str):
        return {"refused": fitted}
    return {
        "temperature": fitted.temperature,
        "temperatures_of_halves": fitted.temperatures_of_halves and list(fitted.temperatures_of_halves),
        "questions": fitted.questions,
        "paths": fitted.paths,
        "before": _reliability(fitted.before),
        "after": _reliability(fitted.after),
    }


def _reliability(found: Reliability) -> dict[str, Any]:
    return {**found._asdict(), "bins": [part._asdict() for part in found.bins]}


def _plots(report: Report) -> dict[str, str]:
    """Each as text that can stand in a page."""
    drawn = {
        "losses": plot_losses(report.curve),
        "shares": plot_shares(report.curve),
        "best_of_n": plot_best_of_n(report.best_of_n),
    }
    if isinstance(report.fitted, Fit):
        drawn["reliability"] = plot_reliability(report.fitted.before.bins, report.fitted.after.bins)
    return {name: f"data:image/png;base64,{b64encode(png).decode()}" for name, png in drawn.items()}
