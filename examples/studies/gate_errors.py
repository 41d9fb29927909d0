"""What a gate on two labels lets through, worked out exactly for a judge of known faults.

The judge says "first" with the probability `bias`; else it is right with the probability `right`. Each of its votes is
independent of the others. The gates:

- `one order`: the published one, four of five votes, with the candidates in one order; either may be the first;
- `both orders`: three votes in each order, and four fifths of the six, so five of them;
- `probabilities`: the judge's own probabilities in each order, whose mean reaches four fifths.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Gate = Literal["one order", "both orders", "probabilities"]

GATES: tuple[Gate, ...] = get_args(Gate)
THRESHOLD = 0.8
_SLACK = 1e-9
_POINTS = 200_000

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Rates:
    """Shares of all questions."""

    wrong: float
    """Took the direct route with the wrong winner."""
    direct: float
    """Took the direct route."""


def vote_is_wrong(right: Numbers, bias: float, *, right_is_first: bool) -> Numbers:
    """The probability that one vote is wrong."""
    return (1 - bias) * (1 - right) + (0.0 if right_is_first else bias)


def fixed(gate: Gate, right: float, bias: float) -> Rates:
    """The rates of a judge that is as often right on every question."""
    wrong, direct = _rates(gate, np.array([right]), bias)
    return Rates(float(wrong[0]), float(direct[0]))


def varying(gate: Gate, right: float, bias: float, concentration: float) -> Rates:
    """The rates of a judge whose probability of being right is Beta-distributed over the questions, with the mean
    `right`; the two parameters of the distribution add up to `concentration`."""
    points = (np.arange(_POINTS) + 0.5) / _POINTS
    density = points ** (right * concentration - 1) * (1 - points) ** ((1 - right) * concentration - 1)
    wrong, direct = _rates(gate, points, bias)
    return Rates(*(float(each @ density / density.sum()) for each in (wrong, direct)))


def _rates(gate: Gate, right: Numbers, bias: float) -> tuple[Numbers, Numbers]:
    first = vote_is_wrong(right, bias, right_is_first=True)
    second = vote_is_wrong(right, bias, right_is_first=False)
    if gate == "one order":
        wrong = (_at_least(4, 5, first) + _at_least(4, 5, second)) / 2
        return wrong, wrong + (_at_least(4, 5, 1 - first) + _at_least(4, 5, 1 - second)) / 2
    if gate == "both orders":
        wrong = _at_least_five_of_six(first, second)
        return wrong, wrong + _at_least_five_of_six(1 - first, 1 - second)
    mean = (first + second) / 2
    wrong = (mean >= THRESHOLD - _SLACK).astype(float)
    return wrong, wrong + (1 - mean >= THRESHOLD - _SLACK)


def _at_least(k: int, n: int, p: Numbers) -> Numbers:
    return sum((comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1)), start=np.zeros_like(p))


def _at_least_five_of_six(p: Numbers, q: Numbers) -> Numbers:
    """Three votes with the probability p each, three with q."""
    return p**3 * _at_least(2, 3, q) + 3 * p**2 * (1 - p) * q**3
