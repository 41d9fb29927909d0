"""The exact error rates of a gate on two labels, for a judge with known errors.

The judge says "first" with the probability `bias`. Otherwise it is right with the probability `right`. Its votes are
independent. The gates:

- `one order`: the published gate, four of five votes, with the candidates in one order. Either may come first.
- `both orders`: three votes in each order, and four fifths of the six, which is five of them.
- `probabilities`: the probabilities of the judge in each order, whose mean reaches four fifths.
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

_Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Rates:
    """Shares of all questions."""

    wrong: float
    """The direct route with the wrong winner."""
    direct: float
    """The direct route."""


def vote_is_wrong(right: _Numbers, bias: float, *, right_is_first: bool) -> _Numbers:
    """The probability that one vote is wrong."""
    return (1 - bias) * (1 - right) + (0.0 if right_is_first else bias)


def fixed(gate: Gate, right: float, bias: float) -> Rates:
    """The rates of a judge with the same probability of being right on every question."""
    wrong, direct = _rates(gate, np.array([right]), bias)
    return Rates(float(wrong[0]), float(direct[0]))


def varying(gate: Gate, right: float, bias: float, concentration: float) -> Rates:
    """The rates of a judge whose probability of being right varies over the questions. It has a Beta distribution with
    the mean `right`, and the sum of its two parameters is `concentration`."""
    points = (np.arange(_POINTS) + 0.5) / _POINTS
    density = points ** (right * concentration - 1) * (1 - points) ** ((1 - right) * concentration - 1)
    wrong, direct = _rates(gate, points, bias)
    return Rates(*(float(rate @ density / density.sum()) for rate in (wrong, direct)))


def _rates(gate: Gate, right: _Numbers, bias: float) -> tuple[_Numbers, _Numbers]:
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


def _at_least(k: int, n: int, p: _Numbers) -> _Numbers:
    return sum((comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1)), start=np.zeros_like(p))


def _at_least_five_of_six(p: _Numbers, q: _Numbers) -> _Numbers:
    """For three votes with the probability p and three with q."""
    return p**3 * _at_least(2, 3, q) + 3 * p**2 * (1 - p) * q**3
