"""What is calibrated: for each measure and M, the thresholds in sequence and what each question loses at each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from egrm_graph.calibration.certification import last_passed
from egrm_graph.replay.answer_table import (
    DIGITS,
    AnswerTable,
    BoolArray,
    FloatArray,
    IntArray,
    certainty,
    draws_of,
    measure_gate,
)
from egrm_graph.uncertainty.measures import Measure
from egrm_graph.uncertainty.votes import partitions

GateLoss = Literal["excess", "error"]
"""`excess`: the fast answer is given and is wrong, where reasoning is right; its mean is at least what the gate loses
against always reasoning. `error`: the answer that is given is wrong."""


ENUMERATED = 16


@dataclass(frozen=True)
class ThresholdSequence:
    """One measure at one M; N questions, T thresholds, the strictest first."""

    measure: Measure
    samples: int
    certainties: FloatArray
    """(T,)"""
    certainty: FloatArray
    """(N,)"""
    fast_right: BoolArray
    """(N,)"""
    direct: BoolArray
    """(N, T) whether the fast answer is given."""
    losses: BoolArray
    """(N, T)"""
    cost: FloatArray
    """(N, T) tokens or, where the log has none, whether the question is reasoned about."""

    def threshold(self, t: int) -> float:
        """In the measure's own units."""
        return float(self.certainties[t]) * (1 if self.measure.higher_is_certain else -1)


def threshold_sequences(
    table: AnswerTable, measures: Sequence[Measure], samples: Sequence[int], loss: GateLoss
) -> list[ThresholdSequence]:
    """One for each measure and M; of measures that make the same gates, the first. A question is taken as a run would
    see it: with its first M fast answers.

    Raises:
        InputError: the log has fewer fast answers than one of `samples`.
    """
    return [_family(table, measure, m, loss) for m in samples for measure in distinct(measures, m)]


def distinct(measures: Sequence[Measure], m: int) -> list[Measure]:
    """The first of each group of measures that put all possible votes of M in the same order.

    It does not depend on any data, and so costs nothing of what is promised. Of more than `ENUMERATED` votes there are
    too many to look at, and all measures stay.
    """
    if m > ENUMERATED:
        return list(measures)
    found: dict[tuple[int, ...], Measure] = {}
    votes = [counts for drawn in range(m + 1) for counts in partitions(drawn, drawn)]
    for measure in measures:
        certainties = np.round([certainty(measure, counts, m) for counts in votes], DIGITS)
        order = np.unique(certainties, return_inverse=True)[1]
        found.setdefault(tuple(order.tolist()), measure)
    return list(found.values())


def _family(table: AnswerTable, measure: Measure, m: int, loss: GateLoss) -> ThresholdSequence:
    draws_of(table.n_fast, m, most=1)
    seen = measure_gate(table, measure, np.arange(m))
    certainties = np.unique(seen.certainty[np.isfinite(seen.certainty)])[::-1]
    direct = seen.certainty[:, None] >= certainties
    wrong = direct & ~seen.right[:, None]
    reasoned = table.reasoned_right[:, None]
    losses = wrong & reasoned if loss == "excess" else wrong | (~direct & ~reasoned)
    cost = (~direct).astype(float)
    if table.fast_tokens is not None and table.path_tokens is not None:
        cost = table.fast_tokens[:, :m].sum(axis=1)[:, None] + cost * table.path_tokens[:, None]
    return ThresholdSequence(measure, m, certainties, seen.certainty, seen.right, direct, losses, cost)


def certify(
    choices: Sequence[ThresholdSequence], weights: IntArray, target: float, delta: float
) -> tuple[IntArray, IntArray]:
    """For each of S calibration sets, (S,) the family and (S,) its threshold that costs least among those that keep
    the target; -1 where none does. `weights` (S, N) is how often each question is in each set."""
    n = int(weights[0].sum())
    best = np.full(len(weights), np.inf)
    family, threshold = np.full(len(weights), -1), np.full(len(weights), -1)
    for j, one in enumerate(choices):
        if not one.certainties.size:
            continue
        passed = last_passed(weights @ one.losses, n, target, delta / len(choices))
        spent = (weights @ one.cost)[np.arange(len(weights)), passed]
        # Of equal cost, the family that comes first: a looser threshold never costs more within one.
        better = (passed >= 0) & (spent < best)
        best[better], family[better], threshold[better] = spent[better], j, passed[better]
    return family, threshold
