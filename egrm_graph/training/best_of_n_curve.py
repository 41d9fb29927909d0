"""The accuracy of the scorer's choice among N paths, for N = 1, 2, 4, ...: the mean over all sets of N paths.

For the scorer's choice and for the best possible one it is exact, because the ranks say in how many sets each path is
on top. A vote has no such formula. It is taken in every set if a question has at most `SETS` of them, and otherwise in
that many random sets, drawn with a seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb
from statistics import fmean
from typing import NamedTuple

from egrm_graph.training.figures import majority_vote
from egrm_graph.training.rollout_file import Rollout, RolloutPath

SETS = 100


class BestOf(NamedTuple):
    """Shares in [0, 1] of the held-out questions that have at least that many paths."""

    n_paths: int
    questions: int
    scorer: float
    """Sets whose top-scored path is right. Paths with the same score are equally likely."""
    majority: float | None
    """Sets whose most frequent answer is right. None if the answers are not known."""
    oracle: float
    """Sets with any right path."""


def best_of_n_curve(rollouts: Sequence[Rollout], scores: Sequence[Sequence[float]]) -> list[BestOf]:
    """A point for each power of two up to the largest number of paths. `scores` has a list per question."""
    questions = list(zip(rollouts, scores, strict=True))
    most = max((len(rollout.paths) for rollout in rollouts), default=0)
    return [_best_of(1 << i, questions) for i in range(most.bit_length())]


def _best_of(n: int, questions: Sequence[tuple[Rollout, Sequence[float]]]) -> BestOf:
    enough = [(rollout, scored) for rollout, scored in questions if len(rollout.paths) >= n]
    targets = [[path.target for path in rollout.paths] for rollout, _ in enough]
    answered = all(rollout.reference is not None for rollout, _ in enough)
    return BestOf(
        n,
        len(enough),
        fmean(expected_top(scored, right, n) for (_, scored), right in zip(enough, targets, strict=True)),
        fmean(_expected_vote(rollout, n) for rollout, _ in enough) if answered else None,
        fmean(expected_top(right, right, n) for right in targets),
    )


def expected_top(keys: Sequence[float], values: Sequence[float], n: int) -> float:
    """The value of the largest key among n, averaged over all sets of n. Equal keys share the place."""
    total, not_above = 0.0, len(keys)
    for key in sorted(set(keys), reverse=True):
        tied = [value for other, value in zip(keys, values, strict=True) if other == key]
        on_top = comb(not_above, n) - comb(not_above - len(tied), n)  # sets whose largest key this is
        total += on_top * fmean(tied)
        not_above -= len(tied)
    return total / comb(len(keys), n)


def _expected_vote(rollout: Rollout, n: int) -> float:
    return fmean(majority_vote(paths) for paths in _sets(rollout, n))


def _sets(rollout: Rollout, n: int) -> Iterator[Sequence[RolloutPath]]:
    if comb(len(rollout.paths), n) <= SETS:
        yield from combinations(rollout.paths, n)
        return
    rng = random.Random(f"{rollout.id} {n}")
    for _ in range(SETS):
        yield rng.sample(rollout.paths, n)
