"""The accuracy of a scorer's choice on held-out questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from egrm_graph.training.rollout_file import Rollout, RolloutPath

_Scored = Sequence[tuple[RolloutPath, float]]
"""The paths of one question with their scores."""


class Figures(NamedTuple):
    """Shares in [0, 1] over the held-out questions. None if nothing could be counted.

    A right path counts 1, a wrong one 0, and a graded one its grade.
    """

    questions: int
    """Sets of paths to choose among."""
    pairwise: float | None
    """Pairs of a better and a worse path of one question that the scorer orders correctly. A tie counts half."""
    best_of_n: float | None
    """Questions whose top-scored path is right."""
    majority: float | None
    """Questions whose most frequent answer is right. A tie counts the share of right answers."""
    oracle: float | None
    """Questions with any right path, which is what the best choice achieves."""
    gap_closed: float | None
    """Where the scorer's choice is between the majority (0) and the oracle (1)."""


def measure(rollouts: Sequence[Rollout], scores: Sequence[Sequence[float]], best_of: int) -> Figures:
    """The figures for a list of scores per question. The paths of a question are split into sets of `best_of`."""
    questions = [list(zip(r.paths, s, strict=True)) for r, s in zip(rollouts, scores, strict=True) if r.paths]
    sets = [part for question in questions for part in _parts(question, best_of)]
    pairs = [value for question in questions for value in _ordered(question)]
    with_answers = all(rollout.reference is not None for rollout in rollouts)  # otherwise a vote is impossible
    best, oracle = _mean(map(_top, sets)), _mean(map(_best, sets))
    majority = _mean(majority_vote(path for path, _ in part) for part in sets) if with_answers else None
    gap = oracle - majority if oracle is not None and majority is not None else 0
    closed = (best - majority) / gap if gap and best is not None and majority is not None else None
    return Figures(len(sets), _mean(pairs), best, majority, oracle, closed)


def _parts(question: _Scored, size: int) -> Iterator[_Scored]:
    """Sets of `size` paths. A question with fewer is one set, and a remainder is not used."""
    for start in range(0, max(len(question) - size + 1, 1), size):
        yield question[start : start + size]


def _ordered(question: _Scored) -> Iterator[float]:
    """For each pair of a better and a worse path, whether the better one scores higher. A tie counts half."""
    for better, good in question:
        for worse, bad in question:
            if better.target > worse.target:
                yield (good > bad) + (good == bad) / 2


def _top(paths: _Scored) -> float:
    return max(paths, key=lambda scored: scored[1])[0].target


def majority_vote(paths: Iterable[RolloutPath]) -> float:
    """Whether the most frequent answer is right or, in a tie, the share of right ones."""
    votes = Counter((path.correct, None if path.correct else path.answer) for path in paths if path.answer)
    leaders = [correct for (correct, _), count in votes.items() if count == max(votes.values())]
    return sum(leaders) / len(leaders) if leaders else 0.0


def _best(paths: _Scored) -> float:
    return max(path.target for path, _ in paths)


def _mean(values: Any) -> float | None:
    items = list(values)
    return fmean(items) if items else None
