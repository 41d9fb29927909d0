"""Render a replay and its curves as a self-contained HTML page."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from egrm_graph.intervals import Estimate
from egrm_graph.replay.answer_table import AnswerTable
from egrm_graph.replay.curves import Curve


def page(name: str, table: AnswerTable, curves: Sequence[Curve]) -> str:
    """Render the page as HTML. Needs matplotlib."""
    plots = _plots(curves)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["interval"] = _interval
    template = environment.from_string(files("egrm_graph.replay").joinpath("page.html.jinja").read_text("utf-8"))
    return template.render(name=name, questions=table.n, curves=curves, plots=plots, always=curves[0].points[0])


def _plots(curves: Sequence[Curve]) -> list[tuple[int, str, str]]:
    """For each M, both plots as data URLs."""
    by_size = [[curve for curve in curves if curve.samples == m] for m in sorted({c.samples for c in curves})]
    from egrm_graph.replay.replay_plots import plot_accuracy, plot_risk_coverage

    return [(at[0].samples, _inline(plot_risk_coverage(at)), _inline(plot_accuracy(at))) for at in by_size]


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"


def _interval(found: Estimate) -> str:
    return "none" if math.isnan(found.value) else f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
