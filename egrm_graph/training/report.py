"""The report of a training: `report.json`, and `report.html`, a self-contained page."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined

from egrm_graph.scoring.checkpoint import Manifest
from egrm_graph.training.best_of_n_curve import SETS, BestOf
from egrm_graph.training.step_figures import AggregationFigures
from egrm_graph.training.temperature import Reliability, TemperatureFit
from egrm_graph.training.training_plots import (
    plot_best_of_n,
    plot_losses,
    plot_reliability,
    plot_shares,
    plot_steps,
)

PAGES = {"path": "report.html.jinja", "step": "process_report.html.jinja"}
"""The template of the page, by what the scorer scores."""


class TrainingReport(NamedTuple):
    """The content of the report of a training."""

    manifest: Manifest
    curve: Sequence[Mapping[str, float]]
    best_of_n: Sequence[BestOf]
    fitted: TemperatureFit | str | None
    """The calibration, or why it is missing; None if it was not requested."""


class ProcessReport(NamedTuple):
    """The content of the report of the training of a process scorer."""

    manifest: Manifest
    curve: Sequence[Mapping[str, float]]
    choices: Sequence[AggregationFigures]
    fitted: TemperatureFit | str | None
    """The calibration, or why it is missing; None if it was not requested."""


def write_report(folder: Path, report: TrainingReport) -> None:
    """Write both files."""
    values = {**_values(report), "best_of_n": [point._asdict() for point in report.best_of_n]}
    plots = {"shares": plot_shares(report.curve), "best_of_n": plot_best_of_n(report.best_of_n)}
    _write(folder, "path", values, {**_plots(report), **plots})


def write_process_report(folder: Path, report: ProcessReport) -> None:
    """Write both files."""
    values = {**_values(report), "choices": [figures._asdict() for figures in report.choices]}
    _write(folder, "step", values, {**_plots(report), "shares": plot_steps(report.curve)})


def _write(folder: Path, unit: str, values: Mapping[str, Any], plots: Mapping[str, bytes]) -> None:
    """Write both files of a scorer of these units."""
    (folder / "report.json").write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    read = FunctionLoader(lambda name: files("egrm_graph.training").joinpath(name).read_text("utf-8"))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=read
    )
    urls = {name: f"data:image/png;base64,{b64encode(png).decode()}" for name, png in plots.items()}
    template = environment.get_template(PAGES[unit])
    page = template.render(report=values, plots=urls, sets=SETS, unit=unit)
    (folder / "report.html").write_text(page, "utf-8")


def _values(report: TrainingReport | ProcessReport) -> dict[str, Any]:
    return {
        **report.manifest.model_dump(mode="json"),
        "calibration": _calibration(report.fitted),
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


def _plots(report: TrainingReport | ProcessReport) -> dict[str, bytes]:
    """The plots of every training."""
    plots = {"losses": plot_losses(report.curve)}
    if isinstance(report.fitted, TemperatureFit):
        plots["reliability"] = plot_reliability(report.fitted.before.bins, report.fitted.after.bins)
    return plots
