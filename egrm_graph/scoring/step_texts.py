"""Which texts a scorer reads for the scores of a path's steps, and how they become the scores of the path again.

A token of a decoder sees only what comes before it, so one pass over the path gives the scores of all steps. A token of
an encoder also sees what follows, so an encoder reads a text for each step: the path up to the end of that step. Only
`step_texts` tells the two apart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

from egrm_graph.scoring.score_row import RowScores, ScoreText
from egrm_graph.scoring.scorer import EMPTY_PATH, Unscored

StepTexts = list[ScoreText] | Unscored
"""The texts whose scores, in order, are those of a path's steps."""


def step_texts(path: str, ends: Sequence[int], *, one_each: bool) -> StepTexts:
    """The texts to read for a path whose steps end there, in characters: `one_each`, or one for all steps.

    `Unscored` if there are no such steps.
    """
    flaw = _flaw(path, ends)
    if flaw is not None:
        return flaw
    return [ScoreText(path[:end]) for end in ends] if one_each else [ScoreText(path, tuple(ends))]


async def scores_by_path(
    texts: Sequence[StepTexts], score: Callable[[list[ScoreText]], Awaitable[Sequence[RowScores]]]
) -> list[RowScores]:
    """The scores of the steps of each path. `score` gives those of texts, in order."""
    flat = [text for of_path in texts if not isinstance(of_path, Unscored) for text in of_path]
    following = iter(await score(flat))
    return [
        of_path if isinstance(of_path, Unscored) else joined([next(following) for _ in of_path]) for of_path in texts
    ]


def joined(scored: Sequence[RowScores]) -> RowScores:
    """The scores of several texts as one list; `Unscored`, with the first reason, if any of them is."""
    scores: list[float] = []
    for some in scored:
        if isinstance(some, Unscored):
            return some
        scores += some
    return scores


def _flaw(path: str, ends: Sequence[int]) -> Unscored | None:
    if not path.strip():
        return EMPTY_PATH
    if not ends:
        return Unscored("the path has no steps")
    if ends[-1] > len(path):
        return Unscored(f"step {len(ends)} ends after {ends[-1]} characters, and the path has {len(path)}")
    for number, (start, end) in enumerate(pairwise((0, *ends)), 1):
        if start >= end or not path[start:end].strip():
            return Unscored(f"step {number} of {len(ends)} is empty")
    return None
