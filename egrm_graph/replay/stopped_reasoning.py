"""What reasoning gives on a log if drawing paths stops once one answer is likely enough. N questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from egrm_graph.deciding.selection_rules import SelectionRule
from egrm_graph.errors import InputError
from egrm_graph.replay.answer_log import LoggedAnswer, LoggedQuestion
from egrm_graph.uncertainty.stopping import Standing, posterior


@dataclass(frozen=True)
class Reasoning:
    """The outcome of reasoning on N questions."""

    stops_at: float | None
    """The confidence at which `posterior` stops drawing paths. None if all are drawn."""
    right: NDArray[np.bool_]
    """(N,)"""
    confidence: NDArray[np.float64]
    """(N,) The confidence in the answer: the score of its path, or its share of the paths' votes."""
    drawn: NDArray[np.int64]
    """(N,) How many paths are drawn."""
    tokens: NDArray[np.float64] | None
    """(N,) The tokens of these paths. None unless the log has the tokens of every sample."""


def can_stop(log: Sequence[LoggedQuestion]) -> bool:
    """Whether a stopping rule on scores can be replayed: some path has a score, all questions have as many paths, and
    they are independent."""
    if any(question.dependent for question in log):
        return False
    scored = any(path.score is not None for question in log for path in question.paths)
    return scored and len({len(question.paths) for question in log}) == 1


def stopped(log: Sequence[LoggedQuestion], every: Reasoning, confidence: float, select: SelectionRule) -> Reasoning:
    """Reasoning that stops at this confidence; `every` is reasoning with all paths. Where the rule does not stop before
    the last path, the outcome is that of all paths.

    Raises:
        InputError: the log has no scores, or not the same number of paths for each question, or they are dependent.
    """
    if any(question.dependent for question in log):
        raise InputError(
            "stopping by scores needs independent paths, and those of this log are the leaves of a tree or the chains "
            "of one completion: what a run that stops earlier would draw is not known; draw it with --strategy plain, "
            "or calibrate the gate alone (--all-paths)"
        )
    if not can_stop(log):
        raise InputError(
            "stopping by scores needs a log in which paths have a 'score' from a calibrated scorer, and all questions "
            "as many paths; draw it with --path-stopping all, or calibrate the gate alone (--all-paths)"
        )
    right, sure, drawn = every.right.copy(), every.confidence.copy(), every.drawn.copy()
    tokens = None if every.tokens is None else every.tokens.copy()
    for i, question in enumerate(log):
        used = _used(question.paths, confidence)
        if len(used) == len(question.paths):
            continue
        chosen = _chosen(used, select)
        right[i], sure[i], drawn[i] = chosen.correct, chosen.score, len(used)
        if tokens is not None:
            tokens[i] = sum(path.n_tokens or 0 for path in used)
    return Reasoning(confidence, right, sure, drawn, tokens)


def _used(paths: Sequence[LoggedAnswer], confidence: float) -> Sequence[LoggedAnswer]:
    """The paths that are drawn."""
    rule = posterior(confidence)
    numbers: dict[str, int] = {}
    classes = [None if path.answer is None else numbers.setdefault(path.answer, len(numbers)) for path in paths]
    scores = [path.score for path in paths]
    for n in range(1, len(paths)):
        if rule(Standing(tuple(classes[:n]), len(paths), tuple(scores[:n]))):
            return paths[:n]
    return paths


def _chosen(paths: Sequence[LoggedAnswer], select: SelectionRule) -> LoggedAnswer:
    """The path that decides among those with a score."""
    scored = [(path, path.score) for path in paths if path.answer is not None and path.score is not None]
    numbers: dict[str | None, int] = {}
    classes = [numbers.setdefault(path.answer, len(numbers)) for path, _ in scored]
    return scored[select(classes, [score for _, score in scored])][0]
