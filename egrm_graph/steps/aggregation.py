"""What the scores of a path's steps add up to: pure functions of the scores, from the first step to the last.

Sources: product and minimum, Lightman et al. 2023, arXiv:2305.20050; last, Uesato et al. 2022, arXiv:2211.14275.
`merged` is after HRM, arXiv:2503.13551, which rewards a step alone and together with the one before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean

Aggregation = Callable[[Sequence[float]], float]
"""From the scores (S,) in [0, 1] of a path's S >= 1 steps to the score of the path, in [0, 1]."""


def product(scores: Sequence[float]) -> float:
    """The probability that every step is right, if each score is that of its own step, given right ones before it."""
    return math.prod(scores)


def minimum(scores: Sequence[float]) -> float:
    """The score of the worst step."""
    return min(scores)


def mean(scores: Sequence[float]) -> float:
    """The mean score."""
    return fmean(scores)


def last(scores: Sequence[float]) -> float:
    """The score of the last step, which has read all the others."""
    return scores[-1]


def merged(scores: Sequence[float]) -> float:
    """The score of the worst pair of adjacent steps. A pair has the better score of the two, so a low score counts only
    if the next step does not correct the error."""
    pairs = [max(pair) for pair in pairwise(scores)]
    return min(pairs, default=scores[-1])


AGGREGATIONS: Mapping[str, Aggregation] = {rule.__name__: rule for rule in (product, minimum, mean, last, merged)}
"""The built-in aggregations, by name."""
