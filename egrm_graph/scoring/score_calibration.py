"""Calibrates scores with a temperature, and measures how well calibrated they are.

A scorer's logits are divided by a temperature that is fitted on held-out paths. The order of the paths stays the same.

Source: Guo et al. 2017, arXiv:1706.04599 (temperature scaling; expected calibration error with 15 bins).
Differs: there is one logit, whose sigmoid is the probability that the path is right. So the bins cover [0, 1] and
compare that probability with the share of right paths. Guo et al. compare the top class's probability with its
accuracy. A graded path counts as right by its grade.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from egrm_graph.errors import InputError

BINS = 15
COLDEST, HOTTEST = 0.01, 100.0


class Calibration(BaseModel):
    """How a scorer was calibrated. Its weights already include the temperature: sigmoid(logit) is the probability."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    method: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0)
    """The divisor of the logits."""
    questions: int
    """The number of held-out questions that it was fitted on."""
    paths: int
    """The number of their paths."""
    cross_fitted: bool = True
    """Whether the figures after calibration come from a temperature that was fitted on the other half of the questions.
    If a half had too few mistakes, they come from the questions that the temperature was fitted on."""
    ece_before: float
    """Expected calibration error of the scores before calibration, with 15 bins of equal width."""
    ece_after: float
    """The same after calibration."""
    brier_before: float
    """Mean squared distance of the scores from the truth before calibration."""
    brier_after: float
    """The same after calibration."""


class Bin(NamedTuple):
    """Paths with similar scores."""

    paths: int
    score: float
    """Mean score."""
    right: float
    """Mean target: the share of right paths."""


def fit_temperature(logits: Sequence[float], targets: Sequence[float]) -> float:
    """The temperature T in [0.01, 100] at which sigmoid(logit / T) has the least log loss. Targets are in [0, 1].

    Raises:
        InputError: no such temperature exists.
    """
    if not logits or max(targets) == 0 or min(targets) == 1:
        kind = "right" if not logits or max(targets) == 0 else "wrong"
        raise InputError(
            f"no held-out path is {kind}, but a temperature needs right and wrong ones; hold out more questions"
        )
    if not all(map(math.isfinite, logits)):
        raise InputError("a held-out path has a logit that is not a number")
    if _slope(logits, targets, 1 / HOTTEST) >= 0:
        raise InputError("higher logits do not go with better paths, so no temperature calibrates them")
    if _slope(logits, targets, 1 / COLDEST) <= 0:
        raise InputError(
            "no held-out path is on the wrong side of 0.5, so no temperature is cold enough; hold out more "
            "questions, or harder ones"
        )
    low, high = math.log(1 / HOTTEST), math.log(1 / COLDEST)
    for _ in range(60):  # the log loss is convex in 1 / T, and its slope rises through zero once
        middle = (low + high) / 2
        low, high = (middle, high) if _slope(logits, targets, math.exp(middle)) < 0 else (low, middle)
    return math.exp(-(low + high) / 2)


def _slope(logits: Sequence[float], targets: Sequence[float], inverse: float) -> float:
    """Of the summed log loss, by the inverse temperature."""
    return math.fsum(z * (sigmoid(z * inverse) - y) for z, y in zip(logits, targets, strict=True))


def sigmoid(logit: float) -> float:
    """Never overflows."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))


def bins_of_equal_width(scores: Sequence[float], targets: Sequence[float], bins: int = BINS) -> list[Bin]:
    """[0, 1] cut into `bins` parts. A score on an edge belongs to the upper part. Empty parts are left out."""
    edges = [i / bins for i in range(1, bins)]
    return list(_binned(scores, targets, edges))


def bins_of_equal_mass(scores: Sequence[float], targets: Sequence[float], bins: int = BINS) -> list[Bin]:
    """Bins with about equally many paths. Equal scores stay together, so there may be fewer bins."""
    ranked = sorted(scores)
    edges = sorted({ranked[len(ranked) * i // bins] for i in range(1, bins)}) if ranked else []
    return list(_binned(scores, targets, edges))


def _binned(scores: Sequence[float], targets: Sequence[float], edges: Sequence[float]) -> Iterator[Bin]:
    places = [bisect_right(edges, score) for score in scores]
    for place in sorted(set(places)):
        inside = [i for i, found in enumerate(places) if found == place]
        yield Bin(len(inside), fmean(scores[i] for i in inside), fmean(targets[i] for i in inside))


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the distance between score and share of right paths, averaged over the paths."""
    return math.fsum(part.paths * abs(part.score - part.right) for part in bins) / sum(part.paths for part in bins)


def brier_score(scores: Sequence[float], targets: Sequence[float]) -> float:
    """Mean squared distance of the scores from the truth; lower is better. Source: Brier 1950."""
    return fmean((score - target) ** 2 for score, target in zip(scores, targets, strict=True))
