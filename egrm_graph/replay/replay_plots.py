"""Plot all measures of a replay at one M, as PNG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from egrm_graph.plotting import Diagram
from egrm_graph.replay.curves import Curve, Point


def plot_risk_coverage(curves: Sequence[Curve]) -> bytes:
    """Plot the share of wrong fast answers among the most certain ones."""
    figure = Diagram("share of questions, most certain first", "share of their fast answers that are wrong")
    for curve in curves:
        figure.axes.plot(*zip(*curve.risk_coverage, strict=True), label=curve.measure, marker=".")
    error = curves[0].aurc_random
    figure.axes.axhline(error, color="gray", linestyle=":", label="random")
    coverage = np.linspace(0.005, 1, 200)
    figure.axes.plot(coverage, np.maximum(0, 1 - (1 - error) / coverage), color="gray", label="oracle")
    return figure.png()


def plot_accuracy(curves: Sequence[Curve]) -> bytes:
    """Plot accuracy against cost: tokens or, if the log has none, the share of questions that reason."""
    tokens = curves[0].points[0].tokens is not None
    figure = Diagram("completion tokens per question" if tokens else "share of questions that reason", "accuracy")
    for curve in curves:
        across = [_spent(point) for point in curve.points]
        (line,) = figure.axes.plot(across, [p.accuracy.value for p in curve.points], label=curve.measure, marker=".")
        low, high = ([getattr(p.accuracy, end) for p in curve.points] for end in ("low", "high"))
        figure.axes.fill_between(across, low, high, color=line.get_color(), alpha=0.15)
    most = max(curves, key=lambda curve: len(curve.points)).points
    ends = (most[0], most[-1])  # a random gate lies on the line between them
    figure.axes.plot(*zip(*((_spent(p), p.random) for p in ends), strict=True), color="gray", ls=":", label="random")
    figure.axes.plot([_spent(p) for p in most], [p.oracle for p in most], color="gray", label="oracle")
    return figure.png()


def _spent(point: Point) -> float:
    return point.reasoned if point.tokens is None else point.tokens
