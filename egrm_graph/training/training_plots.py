"""The plots in the report of a training, as PNG."""

from __future__ import annotations

from collections.abc import Sequence

from egrm_graph.plotting import Diagram, Steps
from egrm_graph.scoring.score_calibration import Bin
from egrm_graph.training.best_of_n_curve import BestOf


def plot_losses(curve: Steps) -> bytes:
    """Loss by step, in training and held out."""
    figure = Diagram("step", "loss")
    figure.lines(curve, {"loss": "training", "eval_loss": "held out"})
    return figure.png()


def plot_shares(curve: Steps) -> bytes:
    """The held-out figures by step."""
    figure = Diagram("step", "share of the held-out questions, or pairs")
    names = {"eval_best_of_n": "scorer's choice", "eval_majority": "majority", "eval_oracle": "any path right"}
    figure.lines(curve, {**names, "eval_pairwise": "pairs in order"})
    return figure.png()


def plot_steps(curve: Steps) -> bytes:
    """The held-out figures of a process scorer by step of the training."""
    figure = Diagram("step", "share of the held-out steps, or F1")
    names = {"eval_first_error_f1": "first-error F1", "eval_step_accuracy": "steps judged correctly"}
    figure.lines(curve, {**names, "eval_steps_in_order": "pairs of steps in order"})
    return figure.png()


def plot_best_of_n(points: Sequence[BestOf]) -> bytes:
    """The share of right choices among N paths, by N."""
    figure = Diagram("paths to choose from", "share of the held-out questions that are right")
    entries = [{name: value for name, value in point._asdict().items() if value is not None} for point in points]
    names = {"oracle": "any path right", "scorer": "scorer's choice", "majority": "majority"}
    figure.lines(entries, names, by="n_paths")
    figure.axes.set_xscale("log", base=2)
    figure.axes.set_xticks([point.n_paths for point in points], [str(point.n_paths) for point in points])
    return figure.png()


def plot_reliability(before: Sequence[Bin], after: Sequence[Bin]) -> bytes:
    """Share of right paths by score, before and after calibration. A larger dot represents more paths."""
    figure = Diagram("score", "share of right paths")
    figure.axes.plot([0, 1], [0, 1], color="gray", linestyle=":", label="a probability")
    for bins, label in ((before, "before"), (after, "after")):
        scores, right = [part.score for part in bins], [part.right for part in bins]
        (line,) = figure.axes.plot(scores, right, linewidth=0.7, label=label)
        figure.axes.scatter(scores, right, s=[8 * part.paths**0.4 for part in bins], color=line.get_color(), alpha=0.7)
    figure.axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return figure.png()
