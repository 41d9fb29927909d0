"""Metrics of a gate's certainty, computed from the number of questions and of wrong answers at each level.

The inputs are sums over questions, so a bootstrap is one matrix product. Shapes: L levels, most certain first; `...` is
the bootstrap samples, or absent.
"""

from __future__ import annotations

import numpy as np

from egrm_graph.replay.answer_table import FloatArray


def auroc(mass: FloatArray, wrong: FloatArray) -> FloatArray:
    """The probability that a right fast answer is more certain than a wrong one: (..., L) to (...).

    Ties count half. NaN if all are right or all are wrong.
    """
    right = mass - wrong
    below = wrong.sum(axis=-1, keepdims=True) - wrong.cumsum(axis=-1)
    pairs = right.sum(axis=-1) * wrong.sum(axis=-1)
    ordered = (right * (below + wrong / 2)).sum(axis=-1)
    return np.where(pairs > 0, ordered / np.where(pairs > 0, pairs, 1), np.nan)


def aurc(mass: FloatArray, wrong: FloatArray) -> FloatArray:
    """The area under the risk-coverage curve: (..., L) to (...).

    This is the share of wrong answers among the most certain fraction c, averaged over c in (0, 1]. The order within a
    level is random.

    Source: Geifman & El-Yaniv 2017, arXiv:1705.08500. Differs: coverage is continuous, with expected risks at ties.
    """
    before, wrong_before = mass.cumsum(axis=-1) - mass, wrong.cumsum(axis=-1) - wrong
    some, later = mass > 0, before > 1e-12
    held = np.where(some, mass, 1)
    growth = np.where(later & some, np.log1p(mass / np.where(later, before, 1)), 0)
    area = np.where(some, wrong, 0) + (wrong_before - wrong / held * before) * growth
    return np.asarray(area.sum(axis=-1) / mass.sum(axis=-1))


def oracle_aurc(error: float) -> float:
    """The smallest possible area if this share of answers is wrong: all right answers come first."""
    return error + (1 - error) * float(np.log1p(-error)) if error < 1 else 1.0


def accuracies(mass: FloatArray, wrong: FloatArray, reasoned: FloatArray) -> FloatArray:
    """The accuracy of a gate that opens down to each level: (..., L) to (..., L + 1). The first never opens.

    `reasoned` is the part of each level's mass that reasoning gets right.
    """
    n = mass.sum(axis=-1, keepdims=True)
    gained = (mass - wrong - reasoned).cumsum(axis=-1)
    start = reasoned.sum(axis=-1, keepdims=True)
    return np.asarray(np.concatenate([start, start + gained], axis=-1) / n)


def oracle_accuracy(direct: float, always: float, gain: float, loss: float) -> float:
    """The best accuracy of any gate with this share of direct questions.

    The best gate answers directly first where only the fast answer is right (`gain`), and last where only the reasoned
    answer is right (`loss`).
    """
    return always + min(direct, gain) - max(0.0, direct - (1 - loss))
