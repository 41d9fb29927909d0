"""The threshold sequences to calibrate: for each measure, M, and confidence at which drawing paths stops, the losses of
each question at each threshold."""

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
from egrm_graph.replay.stopped_reasoning import Reasoning
from egrm_graph.uncertainty.measures import Measure
from egrm_graph.uncertainty.votes import partitions

GateLoss = Literal["excess", "error"]
"""`excess`: the given answer is wrong, but reasoning with all paths is right. Its mean bounds what gate and stopping
together lose against always reasoning. `error`: the given answer is wrong."""


MAX_ENUMERATED = 16
"""Vote counts are enumerated up to this many samples."""


@dataclass(frozen=True)
class ThresholdSequence:
    """One measure at one M, with one way of reasoning. N questions, T thresholds, strictest first."""

    measure: Measure
    samples: int
    reasoning: Reasoning
    certainties: FloatArray
    """(T,)"""
    certainty: FloatArray
    """(N,)"""
    fast_right: BoolArray
    """(N,)"""
    direct: BoolArray
    """(N, T) Whether the fast answer is given."""
    losses: BoolArray
    """(N, T)"""
    cost: FloatArray
    """(N, T) Tokens or, if the log has none, the share of the paths that are drawn."""

    def threshold(self, t: int) -> float:
        """The threshold in the measure's units."""
        return float(self.certainties[t]) * (1 if self.measure.higher_is_certain else -1)


def threshold_sequences(
    table: AnswerTable, measures: Sequence[Measure], samples: Sequence[int], loss: GateLoss
) -> list[ThresholdSequence]:
    """A sequence for each M, each distinct measure, and each way of reasoning. Uses the first M fast answers of a
    question, like a run.

    Raises:
        InputError: The log has fewer fast answers than one of `samples`.
    """
    return [
        _sequence(table, measure, m, loss, reasoning)
        for m in samples
        for measure in distinct(measures, m)
        for reasoning in (table.reasoning, *table.stopped)
    ]


def distinct(measures: Sequence[Measure], m: int) -> list[Measure]:
    """The first of each group of measures that rank all possible votes of M answers in the same order.

    This does not depend on data, so it does not weaken the guarantee. Above `MAX_ENUMERATED` votes, all measures are
    kept, because enumeration takes too long.
    """
    if m > MAX_ENUMERATED:
        return list(measures)
    found: dict[tuple[int, ...], Measure] = {}
    votes = [counts for drawn in range(m + 1) for counts in partitions(drawn, drawn)]
    for measure in measures:
        certainties = np.round([certainty(measure, counts, m) for counts in votes], DIGITS)
        order = np.unique(certainties, return_inverse=True)[1]
        found.setdefault(tuple(order.tolist()), measure)
    return list(found.values())


def _sequence(table: AnswerTable, measure: Measure, m: int, loss: GateLoss, reasoning: Reasoning) -> ThresholdSequence:
    draws_of(table.n_fast, m, most=1)
    seen = measure_gate(table, measure, np.arange(m))
    certainties = np.unique(seen.certainty[np.isfinite(seen.certainty)])[::-1]
    direct = seen.certainty[:, None] >= certainties
    wrong = ~np.where(direct, seen.right[:, None], reasoning.right[:, None])
    losses = wrong & table.reasoned_right[:, None] if loss == "excess" else wrong
    cost = ~direct * (reasoning.drawn / table.reasoning.drawn)[:, None]
    if table.fast_tokens is not None and reasoning.tokens is not None:
        cost = table.fast_tokens[:, :m].sum(axis=1)[:, None] + ~direct * reasoning.tokens[:, None]
    return ThresholdSequence(measure, m, reasoning, certainties, seen.certainty, seen.right, direct, losses, cost)


def certify(
    choices: Sequence[ThresholdSequence], weights: IntArray, target: float, delta: float
) -> tuple[IntArray, IntArray]:
    """Find the cheapest sequence (S,) and threshold (S,) that keep the target, for each of S calibration sets.

    Both are -1 if none keeps it. `weights` (S, N) is how often each question occurs in each set.
    """
    n = int(weights[0].sum())
    best = np.full(len(weights), np.inf)
    sequence, threshold = np.full(len(weights), -1), np.full(len(weights), -1)
    for j, one in enumerate(choices):
        if not one.certainties.size:
            continue
        passed = last_passed(weights @ one.losses, n, target, delta / len(choices))
        spent = (weights @ one.cost)[np.arange(len(weights)), passed]
        # The first sequence wins ties. Within a sequence, a looser threshold never costs more.
        better = (passed >= 0) & (spent < best)
        best[better], sequence[better], threshold[better] = spent[better], j, passed[better]
    return sequence, threshold
