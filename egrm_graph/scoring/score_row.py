"""What one forward pass of a scorer reads: token ids, and the places at which it gives scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from egrm_graph.scoring.scorer import Unscored


class ScoreRow(NamedTuple):
    """A question and a path as token ids."""

    ids: Sequence[int]
    places: tuple[int, ...] = ()
    """The indices of the tokens at which the head is read, in order. Empty: the row gets the one score that the model
    gives the full text."""


RowScores: TypeAlias = list[float] | Unscored
"""The scores of a row, one for each of its places, or one for the full text."""


def whole_rows(rows: Sequence[list[int] | Unscored]) -> list[ScoreRow | Unscored]:
    """Rows that each get one score, of the full text."""
    return [row if isinstance(row, Unscored) else ScoreRow(row) for row in rows]


def only_scores(scored: Sequence[RowScores]) -> list[float | Unscored]:
    """The scores of rows that each have one."""
    return [scores if isinstance(scores, Unscored) else scores[0] for scores in scored]
