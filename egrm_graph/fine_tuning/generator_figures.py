"""Figures about a generator: how sure and how right its fast answers and its paths are, and how true its scores.

A scorer that is rewarded can be exploited: then the mean score rises and the share of right paths does not. So both are
given, for the same paths, with the expected calibration error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from egrm_graph.scoring.score_calibration import bins_of_equal_width, calibration_error


class Answered(NamedTuple):
    """What a generator did on one question."""

    certain: bool
    """Whether the gate would answer directly."""
    fast_right: bool
    """Whether the most frequent fast answer is right."""
    fast_tokens: int
    """Completion tokens of all fast answers."""
    path_right: bool | None
    """Whether the answer of the path is right; None if it has none."""
    score: float | None
    """The score of the path; None if it has none."""
    path_tokens: int


def generator_figures(answered: Sequence[Answered]) -> dict[str, float]:
    """The figures of these questions. What nothing can be said about is left out. Empty without questions.

    `fast_accuracy` and `path_accuracy` count what cannot be read as wrong. `score` and `right_if_scored` are means over
    the paths with a score; they are equal if the scores are probabilities.
    """
    if not answered:
        return {}
    certain = [each for each in answered if each.certain]
    scored = [each for each in answered if each.score is not None]
    scores, right = [each.score or 0.0 for each in scored], [float(bool(each.path_right)) for each in scored]
    figures = {
        "direct": share(each.certain for each in answered),
        "fast_accuracy": share(each.fast_right for each in answered),
        "fast_tokens": fmean(each.fast_tokens for each in answered),
        "path_accuracy": share(bool(each.path_right) for each in answered),
        "path_unreadable": share(each.path_right is None for each in answered),
        "path_tokens": fmean(each.path_tokens for each in answered),
    }
    if certain:
        figures["direct_accuracy"] = share(each.fast_right for each in certain)
    if scored:
        error = calibration_error(bins_of_equal_width(scores, right))
        figures |= {"score": fmean(scores), "right_if_scored": fmean(right), "calibration_error": error}
    return figures


def share(values: Iterable[bool]) -> float:
    """The share of true values, of at least one."""
    counted = list(values)
    return sum(counted) / len(counted)
