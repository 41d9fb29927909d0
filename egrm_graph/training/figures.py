"""What a scorer's choice is worth on held-out questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from egrm_graph.training.rollout_file import Rollout, RolloutPath

Scored = Sequence[tuple[RolloutPath, float]]
"""The paths of one question with their scores."""


class Figures(NamedTuple):
    """Shares in [0, 1] over the held-out questions; None where there was nothing to count.

    A right path counts 1 and a wrong one 0; a graded one counts its grade.
    """

    questions: int
    """Sets of paths that were chosen among."""
    pairwise: float | None
    """Pairs of a better and a worse path of one question that the scorer puts in order; a tie counts half."""
    best_of_n: float | None
    """Questions whose top-scored path is right."""
    majority: float | None
    """Questions whose most frequent answer is right; a tie counts its right share."""
    oracle: float | None
    """Questions with a right path at all: what the best choice would reach."""
    gap_closed: float | None
    """How far the scorer's choice comes from the majority (0) to the oracle (1)."""


def measure(rollouts: Sequence[Rollout], scores: Sequence[Sequence[float]], best_of: int) -> Figures:
    """The figures for scores given question by question; each question's paths are cut into sets of `best_of`."""
    questions = [list(zip(r.paths, s, strict=True)) for r, s in zip(rollouts, scores, strict=True) if r.paths]
    sets = [part for question in questions for part in _parts(question, best_of)]
    pairs = [value for question in questions for value in _ordered(question)]
    with_answers = all(rollout.reference is not None for rollout in rollouts)  # only then is there a vote
    best, oracle = _mean(map(_top, sets)), _mean(map(_best, sets))
    majority = _mean(majority_vote(path for path, _ in part) for part in sets) if with_answers else None
    gap = oracle - majority if oracle is not None and majority is not None else 0
    closed = (best - majority) / gap if gap and best is not None and majority is not None else None
    return Figures(len(sets), _mean(pairs), best, majority, oracle, closed)


def _parts(question: Scored, size: int) -> Iterator[Scored]:
    """Sets of `size` paths; a question with fewer is one set, and what is left over at the end is not used."""
    for start in range(0, max(len(question) - size + 1, 1), size):
        yield question[start : start + size]


def _ordered(question: Scored) -> Iterator[float]:
    """For each pair of a better and a worse path, whether the better one scores higher; a tie counts half."""
    for better, good in question:
        for worse, bad in question:
            if better.target > worse.target:
                yield (good > bad) + (good == bad) / 2


def _top(paths: Scored) -> float:
    return max(paths, key=lambda scored: scored[1])[0].target


def majority_vote(paths: Iterable[RolloutPath]) -> float:
    """Whether the most frequent answer is right; of a tie, the right share."""
    votes = Counter((path.correct, None if path.correct else path.answer) for path in paths if path.answer)
    leaders = [correct for (correct, _), count in votes.items() if count == max(votes.values())]
    return sum(leaders) / len(leaders) if leaders else 0.0


def _best(paths: Scored) -> float:
    return max(path.target for path, _ in paths)


def _mean(values: Any) -> float | None:
    found = list(values)
    return fmean(found) if found else None
