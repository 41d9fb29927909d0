"""What the gate's certainty is worth, from how many questions have it at each level and how many of them go wrong.

All of it is in sums over questions, so that a bootstrap is a product of matrices. Shapes: L levels, the most certain
first; ... stands for the bootstrap's samples, or for nothing.
"""

from __future__ import annotations

import numpy as np

from egrm_graph.replay.answer_table import FloatArray


def auroc(mass: FloatArray, wrong: FloatArray) -> FloatArray:
    """The probability that a right fast answer is more certain than a wrong one, a tie counting half: (..., L) to
    (...). NaN where all are right or all are wrong."""
    right = mass - wrong
    below = wrong.sum(axis=-1, keepdims=True) - wrong.cumsum(axis=-1)
    pairs = right.sum(axis=-1) * wrong.sum(axis=-1)
    ordered = (right * (below + wrong / 2)).sum(axis=-1)
    return np.where(pairs > 0, ordered / np.where(pairs > 0, pairs, 1), np.nan)


def aurc(mass: FloatArray, wrong: FloatArray) -> FloatArray:
    """The area under the risk-coverage curve: the share of wrong answers among the most certain c of all, averaged over
    c in (0, 1]; (..., L) to (...). Within a level the order is random.

    Source: Geifman & El-Yaniv 2017, arXiv:1705.08500. Differs: coverage is continuous, with expected risks at ties.
    """
    before, wrong_before = mass.cumsum(axis=-1) - mass, wrong.cumsum(axis=-1) - wrong
    some, later = mass > 0, before > 1e-12
    held = np.where(some, mass, 1)
    growth = np.where(later & some, np.log1p(mass / np.where(later, before, 1)), 0)
    area = np.where(some, wrong, 0) + (wrong_before - wrong / held * before) * growth
    return np.asarray(area.sum(axis=-1) / mass.sum(axis=-1))


def oracle_aurc(error: float) -> float:
    """The least area that any order of the answers has, where this share of them is wrong: all right ones first."""
    return error + (1 - error) * float(np.log1p(-error)) if error < 1 else 1.0


def accuracies(mass: FloatArray, wrong: FloatArray, reasoned: FloatArray) -> FloatArray:
    """The share that is right if the gate opens from each level on: (..., L) to (..., L + 1), the first for a gate that
    never opens. `reasoned` is what reasoning gets right of each level's mass."""
    n = mass.sum(axis=-1, keepdims=True)
    gained = (mass - wrong - reasoned).cumsum(axis=-1)
    start = reasoned.sum(axis=-1, keepdims=True)
    return np.asarray(np.concatenate([start, start + gained], axis=-1) / n)


def oracle_accuracy(direct: float, always: float, gain: float, loss: float) -> float:
    """The most that any gate reaches at this share of direct questions: where only the fast answer is right (`gain`)
    first, where only the reasoned one is (`loss`) last."""
    return always + min(direct, gain) - max(0.0, direct - (1 - loss))
