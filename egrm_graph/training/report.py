"""The report of a training: `report.json`, and `report.html`, a self-contained page."""

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
from egrm_graph.training.temperature import Reliability, TemperatureFit
from egrm_graph.training.training_plots import plot_best_of_n, plot_losses, plot_reliability, plot_shares


class TrainingReport(NamedTuple):
    """The content of the report of a training."""

    manifest: Manifest
    curve: Sequence[Mapping[str, float]]
    best_of_n: Sequence[BestOf]
    fitted: TemperatureFit | str | None
    """The calibration, or why it is missing; None if it was not requested."""


def write_report(folder: Path, report: TrainingReport) -> None:
    """Write both files."""
    values = _values(report)
    (folder / "report.json").write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("egrm_graph.training").joinpath("report.html.jinja").read_text("utf-8"))
    (folder / "report.html").write_text(template.render(report=values, plots=_plots(report), sets=SETS), "utf-8")


def _values(report: TrainingReport) -> dict[str, Any]:
    return {
        **report.manifest.model_dump(mode="json"),
        "calibration": _calibration(report.fitted),
        "best_of_n": [point._asdict() for point in report.best_of_n],
        "curve": list(report.curve),
    }


def _calibration(fitted: TemperatureFit | str | None) -> dict[str, Any] | None:
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


def _reliability(reliability: Reliability) -> dict[str, Any]:
    return {**reliability._asdict(), "bins": [part._asdict() for part in reliability.bins]}


def _plots(report: TrainingReport) -> dict[str, str]:
    """Each plot as a data URL."""
    plots = {
        "losses": plot_losses(report.curve),
        "shares": plot_shares(report.curve),
        "best_of_n": plot_best_of_n(report.best_of_n),
    }
    if isinstance(report.fitted, TemperatureFit):
        plots["reliability"] = plot_reliability(report.fitted.before.bins, report.fitted.after.bins)
    return {name: f"data:image/png;base64,{b64encode(png).decode()}" for name, png in plots.items()}
