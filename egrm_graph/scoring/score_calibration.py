"""How far scores are probabilities, and the one number that makes them so.

A scorer's logits are divided by a temperature, fitted on held-out paths. It leaves the order of all paths as it is.

Source: Guo et al. 2017, arXiv:1706.04599 (temperature scaling; expected calibration error with 15 bins).
Differs: there is one logit, whose sigmoid is the probability that the path is right, so that bins lie over [0, 1] and
hold that probability against the share of right paths; Guo et al. hold the top class's against its accuracy. A graded
path counts as right by its grade.
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
    """How a scorer was calibrated. The temperature is in its weights already: sigmoid(logit) is the probability."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    method: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0)
    """What the logits were divided by."""
    questions: int
    """Held-out questions that it was fitted on."""
    paths: int
    """Their paths."""
    cross_fitted: bool = True
    """Whether the figures after it are of each half of the questions with the temperature that was fitted on the other
    half. Else the halves had too few mistakes, and they are of the questions that it was fitted on."""
    ece_before: float
    """Expected calibration error of the scores before, 15 bins of equal width."""
    ece_after: float
    """The same after."""
    brier_before: float
    """Mean squared distance of the scores from the truth, before."""
    brier_after: float
    """The same after."""


class Bin(NamedTuple):
    """Paths whose scores are alike."""

    paths: int
    score: float
    """Mean score."""
    right: float
    """Mean target: the share of them that is right."""


def fit_temperature(logits: Sequence[float], targets: Sequence[float]) -> float:
    """The temperature T at which sigmoid(logit / T) has the least log loss, in [0.01, 100]. Targets are in [0, 1].

    Raises:
        InputError: there is no such temperature; says why.
    """
    if not logits or max(targets) == 0 or min(targets) == 1:
        kind = "right" if not logits or max(targets) == 0 else "wrong"
        raise InputError(f"no held-out path is {kind}, and a temperature needs right and wrong ones")
    if not all(map(math.isfinite, logits)):
        raise InputError("a held-out path has a logit that is not a number")
    if _slope(logits, targets, 1 / HOTTEST) >= 0:
        raise InputError("higher logits do not go with better paths, so that no temperature makes them probabilities")
    if _slope(logits, targets, 1 / COLDEST) <= 0:
        raise InputError(
            "no held-out path is on the wrong side of 0.5, so that no temperature is cold enough; hold out more "
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
    """[0, 1] cut into `bins` parts, each with its lower edge; the last one has 1 as well. Empty ones are left out."""
    edges = [i / bins for i in range(1, bins)]
    return list(_binned(scores, targets, edges))


def bins_of_equal_mass(scores: Sequence[float], targets: Sequence[float], bins: int = BINS) -> list[Bin]:
    """About as many paths in each; equal scores stay together, so that there may be fewer bins."""
    ranked = sorted(scores)
    edges = sorted({ranked[len(ranked) * i // bins] for i in range(1, bins)}) if ranked else []
    return list(_binned(scores, targets, edges))


def _binned(scores: Sequence[float], targets: Sequence[float], edges: Sequence[float]) -> Iterator[Bin]:
    places = [bisect_right(edges, score) for score in scores]
    for place in sorted(set(places)):
        inside = [i for i, found in enumerate(places) if found == place]
        yield Bin(len(inside), fmean(scores[i] for i in inside), fmean(targets[i] for i in inside))


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: how far score and share of right paths lie apart, averaged over the paths."""
    return math.fsum(part.paths * abs(part.score - part.right) for part in bins) / sum(part.paths for part in bins)


def brier_score(scores: Sequence[float], targets: Sequence[float]) -> float:
    """Mean squared distance of the scores from the truth; lower is better. Source: Brier 1950."""
    return fmean((score - target) ** 2 for score, target in zip(scores, targets, strict=True))
