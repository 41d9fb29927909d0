"""A log as arrays, and what a gate measures on it. Shapes: N questions, F fast answers, C classes, M drawn."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from egrm_graph.deciding.selection_rules import SelectionRule, weighted_vote
from egrm_graph.errors import InputError
from egrm_graph.replay.answer_log import LoggedAnswer, LoggedQuestion
from egrm_graph.replay.stopped_reasoning import Reasoning, stopped
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import Measure
from egrm_graph.uncertainty.votes import Votes

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

DIGITS = 9
"""Certainties are rounded to this many digits. The gate's tolerance is one unit of the last digit."""


@dataclass(frozen=True)
class AnswerTable:
    """A log of N questions, truncated to the smallest number of fast answers."""

    fast: IntArray
    """(N, F) The class of each fast answer, in the order they were drawn. -1 for a lost one."""
    right: BoolArray
    """(N, C) Whether a class is right."""
    reasoning: Reasoning
    """With all paths."""
    fast_tokens: FloatArray | None
    """(N, F) The tokens of each fast answer. None unless the log has the tokens of every sample."""
    scored: bool
    """Whether confidences are scores rather than shares of votes."""
    stopped: tuple[Reasoning, ...] = ()
    """With paths until one answer is likely enough, for each confidence to try."""

    @property
    def reasoned_right(self) -> BoolArray:
        """(N,) Whether reasoning with all paths finds the right answer."""
        return self.reasoning.right

    @property
    def path_tokens(self) -> FloatArray | None:
        """(N,) The tokens of all paths of a question."""
        return self.reasoning.tokens

    @property
    def n(self) -> int:
        return len(self.fast)

    @property
    def n_fast(self) -> int:
        return int(self.fast.shape[1])


@dataclass(frozen=True)
class GateMeasurements:
    """What a gate measures on M fast answers to each of N questions."""

    certainty: FloatArray
    """(N,) The measure's value, signed so that higher is more certain. -inf if no answer could be read."""
    right: BoolArray
    """(N,) Whether the fast answer with the most votes is right."""


def table_of(
    log: Sequence[LoggedQuestion], path_confidences: Sequence[float] = (), select: SelectionRule = weighted_vote
) -> AnswerTable:
    """Convert a log to arrays. `path_confidences` are those at which drawing paths may stop, and `select` chooses among
    the paths that are drawn then.

    Raises:
        InputError: the log cannot say where drawing would stop.
    """
    n_fast = min(len(question.fast) for question in log)
    numbered = [_numbered(question.fast[:n_fast]) for question in log]
    width = max(1, *(len(marks) for _, marks in numbered))
    reasoned = [_reasoned(question) for question in log]
    counted = all(d.n_tokens is not None for question in log for d in (*question.fast[:n_fast], *question.paths))
    every = Reasoning(
        stops_at=None,
        right=np.array([right for right, _ in reasoned]),
        confidence=np.array([confidence for _, confidence in reasoned]),
        drawn=np.array([len(question.paths) for question in log]),
        tokens=np.array([sum(d.n_tokens or 0 for d in q.paths) for q in log], float) if counted else None,
    )
    return AnswerTable(
        fast=np.array([numbers for numbers, _ in numbered]),
        right=np.array([[*marks, *[False] * (width - len(marks))] for _, marks in numbered]),
        reasoning=every,
        fast_tokens=np.array([[d.n_tokens for d in q.fast[:n_fast]] for q in log], float) if counted else None,
        scored=any(question.scored for question in log),
        stopped=tuple(stopped(log, every, confidence, select) for confidence in path_confidences),
    )


def _numbered(draws: Sequence[LoggedAnswer]) -> tuple[list[int], list[bool]]:
    """Number the answers by class, in order of appearance, and say which classes are right."""
    places: dict[str, int] = {}
    marks: list[bool] = []
    for draw in draws:
        if draw.answer is not None and draw.answer not in places:
            places[draw.answer] = len(marks)
            marks.append(draw.correct)
    return [-1 if draw.answer is None else places[draw.answer] for draw in draws], marks


def _reasoned(question: LoggedQuestion) -> tuple[bool, float]:
    votes = Counter(path.answer for path in question.paths if path.answer is not None)
    top, count = votes.most_common(1)[0] if votes else (None, 0)  # the first drawn wins ties
    share = 0.0 if question.dependent else count / len(question.paths)  # such paths are not votes
    if question.reasoned is not None:
        return question.reasoned.correct, share if question.confidence is None else question.confidence
    return any(path.correct for path in question.paths if path.answer is not None and path.answer == top), share


def draws_of(n_fast: int, m: int, most: int = 64, seed: int = 0) -> list[IntArray]:
    """Choose which M of F fast answers to draw: all combinations if there are at most `most`, or `most` random ones.

    Raises:
        InputError: M is not between 1 and F.
    """
    if not 1 <= m <= n_fast:
        raise InputError(f"samples={m}: the log has {n_fast} fast answers per question; choose 1 to {n_fast}")
    if math.comb(n_fast, m) <= most:
        return [np.array(chosen) for chosen in combinations(range(n_fast), m)]
    rng = np.random.default_rng(seed)
    return [np.sort(rng.permutation(n_fast)[:m]) for _ in range(most)]


def measure_gate(table: AnswerTable, measure: Measure, drawn: IntArray) -> GateMeasurements:
    """Measure the drawn fast answers. The answer drawn first wins ties, as in a run."""
    classes = table.fast[:, drawn]
    n_classes = table.right.shape[1]
    hit = classes[:, :, None] == np.arange(n_classes)  # (N, M, C)
    counts = hit.sum(axis=1)
    m = classes.shape[1]
    first = np.where(counts > 0, hit.argmax(axis=1), m)
    top = (counts * (m + 1) - first).argmax(axis=1)
    kinds, kind = np.unique(-np.sort(-counts, axis=1), axis=0, return_inverse=True)
    values = np.array([certainty(measure, [int(c) for c in counted if c], m) for counted in kinds])
    right = table.right[np.arange(table.n), top] & (counts.max(axis=1) > 0)
    return GateMeasurements(np.asarray(np.round(values[kind.reshape(-1)], DIGITS), np.float64), right)


def certainty(measure: Measure, counts: Sequence[int], m: int) -> float:
    """Measure the votes by class among M answers, signed so that higher is more certain. -inf without votes."""
    if not counts:
        return -math.inf
    lost = m - sum(counts)
    votes = Votes(tuple(map(str, range(len(counts)))), tuple(counts), lost)
    places = [place for place, count in enumerate(counts) for _ in range(count)]
    value = measure.measured(Evidence(votes, (*places, *[None] * lost)))
    if value is None:
        return -math.inf
    return value if measure.higher_is_certain else -value


def replayable(measures: Sequence[Measure]) -> list[Measure]:
    """The measures that need only answers, which is all that a log has."""
    return [measure for measure in measures if not measure.requires]


def sizes_of(n_fast: int, usual: Sequence[int] = (3, 5, 8, 16)) -> list[int]:
    """The default numbers of fast answers to replay."""
    return list(islice((m for m in usual if m <= n_fast), len(usual))) or [n_fast]
