"""What a scorer reads in one pass, as text and as token ids, and where it gives scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from egrm_graph.scoring.scorer import Unscored


class ScoreText(NamedTuple):
    """A path, or its beginning, which is read with its question."""

    path: str
    ends: tuple[int, ...] = ()
    """Where the steps end whose scores are read, in characters of the path, in order. Empty: the text gets the one
    score that the model gives the full text."""


class ScoreRow(NamedTuple):
    """A question and a path as token ids."""

    ids: Sequence[int]
    places: tuple[int, ...] = ()
    """The indices of the tokens at which the head is read, in order. Empty: the row gets the one score that the model
    gives the full text."""

    @property
    def n_scores(self) -> int:
        """The number of its scores."""
        return len(self.places) or 1


RowScores: TypeAlias = list[float] | Unscored
"""The scores of a row, one for each of its places, or one for the full text."""


def only_scores(scored: Sequence[RowScores]) -> list[float | Unscored]:
    """The scores of rows that each have one."""
    return [scores if isinstance(scores, Unscored) else scores[0] for scores in scored]
