"""Makes a probability of what the scores of a path's steps add up to.

A product of calibrated scores is not calibrated, because each step has read all steps before it. Two numbers are fitted
on held-out paths: sigmoid(slope * logit(score) + intercept) is then the probability that the path is right. The order
of the paths stays the same.

Source: Platt 1999, "Probabilistic outputs for support vector machines", with its smoothed targets. Differs: the input
is the logit of the aggregate instead of a margin, and a graded path counts as right by its grade.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict, Field, field_validator

from egrm_graph.errors import InputError
from egrm_graph.scoring.score_calibration import bins_of_equal_width, brier_score, calibration_error, sigmoid
from egrm_graph.steps.aggregation import AGGREGATIONS
from egrm_graph.steps.cutting import step_cutter

CLIP = 1e-6
"""Scores this close to 0 or 1 count as that far away, so that they have a logit."""


class AggregateCalibration(BaseModel):
    """How the score of a path, made of the scores of its steps, becomes a probability."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    steps: str
    """Where the steps end: `lines`, `sentences`, or a regular expression."""
    aggregation: str
    """How the scores of the steps become one."""
    slope: float = Field(gt=0)
    intercept: float
    questions: int
    """The number of held-out questions that it was fitted on."""
    paths: int
    """The number of their paths."""
    ece_before: float
    """Expected calibration error of the aggregate, with 15 bins of equal width."""
    ece_after: float
    """The same after calibration; each half of the questions with the numbers that were fitted on the other half."""
    brier_before: float
    """Mean squared distance of the aggregate from the truth."""
    brier_after: float
    """The same after calibration, cross-fitted, too."""

    @field_validator("steps")
    @classmethod
    def _cuts(cls, steps: str) -> str:
        step_cutter(steps)
        return steps

    @field_validator("aggregation")
    @classmethod
    def _is_known(cls, aggregation: str) -> str:
        if aggregation not in AGGREGATIONS:
            raise ValueError(f"the aggregations are {', '.join(AGGREGATIONS)}")
        return aggregation

    def probability(self, score: float) -> float:
        """The probability that a path with this aggregate is right."""
        return sigmoid(self.slope * _logit(score) + self.intercept)


def calibrate_aggregate(
    steps: str, aggregation: str, scores: Sequence[Sequence[float]], targets: Sequence[Sequence[float]]
) -> AggregateCalibration:
    """The calibration, fitted on the aggregates and the targets of the paths of each question. Targets are in [0, 1].

    Raises:
        InputError: there is nothing to fit.
    """
    flat = [score for own in scores for score in own]
    right = [target for own in targets for target in own]
    slope, intercept = fit_sigmoid(flat, right)
    crossed: list[float | None] = [None] * len(flat)
    number = [i for i, own in enumerate(scores) for _ in own]
    for half in (0, 1):  # the questions with even and with odd numbers
        others = [k for k, i in enumerate(number) if i % 2 != half]
        a, b = fit_sigmoid([flat[k] for k in others], [right[k] for k in others])
        for k, i in enumerate(number):
            if i % 2 == half:
                crossed[k] = sigmoid(a * _logit(flat[k]) + b)
    fitted = [score for score in crossed if score is not None]
    return AggregateCalibration(
        steps=steps,
        aggregation=aggregation,
        slope=slope,
        intercept=intercept,
        questions=len(scores),
        paths=len(flat),
        ece_before=calibration_error(bins_of_equal_width(flat, right)),
        ece_after=calibration_error(bins_of_equal_width(fitted, right)),
        brier_before=brier_score(flat, right),
        brier_after=brier_score(fitted, right),
    )


def fit_sigmoid(scores: Sequence[float], targets: Sequence[float]) -> tuple[float, float]:
    """The slope and the intercept at which sigmoid(slope * logit(score) + intercept) has the least log loss.

    Raises:
        InputError: all paths are right, or all are wrong; or higher scores do not go with better paths.
    """
    if not scores or max(targets) == 0 or min(targets) == 1:
        raise InputError("a calibration needs paths that are right and paths that are wrong; take more questions")
    n_right = math.fsum(targets)
    right, wrong = (n_right + 1) / (n_right + 2), 1 / (len(targets) - n_right + 2)
    points = [(_logit(score), wrong + (right - wrong) * target) for score, target in zip(scores, targets, strict=True)]
    share = fmean(target for _, target in points)
    best = (0.0, _logit(share))
    for _ in range(100):  # Newton's method; the log loss is convex
        step = _newton_step(points, best)
        size = 1.0
        while _loss(points, found := (best[0] - size * step[0], best[1] - size * step[1])) > _loss(points, best):
            size /= 2
            if size < 1e-6:
                found = best
                break
        moved, best = max(abs(new - old) for new, old in zip(found, best, strict=True)), found
        if moved < 1e-9:
            break
    if best[0] <= 0:
        raise InputError("higher scores do not go with better paths, so no calibration is possible")
    return best


def _newton_step(points: Sequence[tuple[float, float]], at: tuple[float, float]) -> tuple[float, float]:
    """The inverse of the second derivatives of the log loss times the first ones."""
    probabilities = [sigmoid(at[0] * z + at[1]) for z, _ in points]
    errors = [p - target for p, (_, target) in zip(probabilities, points, strict=True)]
    weights = [p * (1 - p) for p in probabilities]
    by_slope = math.fsum(error * z for error, (z, _) in zip(errors, points, strict=True))
    by_intercept = math.fsum(errors)
    slopes = math.fsum(weight * z * z for weight, (z, _) in zip(weights, points, strict=True))
    both = math.fsum(weight * z for weight, (z, _) in zip(weights, points, strict=True))
    intercepts = math.fsum(weights)
    determinant = slopes * intercepts - both * both
    if determinant <= 1e-12 * slopes * intercepts:
        raise InputError("all paths have the same score, so there is nothing to calibrate")
    return (
        (by_slope * intercepts - by_intercept * both) / determinant,
        (by_intercept * slopes - by_slope * both) / determinant,
    )


def _loss(points: Sequence[tuple[float, float]], at: tuple[float, float]) -> float:
    """The summed log loss: softplus(x) - target * x for each logit x."""
    logits = ((at[0] * z + at[1], target) for z, target in points)
    return math.fsum(max(x, 0) + math.log1p(math.exp(-abs(x))) - target * x for x, target in logits)


def _logit(score: float) -> float:
    inside = min(max(score, CLIP), 1 - CLIP)
    return math.log(inside / (1 - inside))
