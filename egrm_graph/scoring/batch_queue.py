"""The queue for batches: rows, the requests that wait for their scores, and the choice of a batch."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from egrm_graph.scoring.score_row import RowScores, ScoreRow
from egrm_graph.scoring.scorer import Unscored

_Key = tuple[bytes, tuple[int, ...]]


@dataclass(eq=False)
class ScoreRequest:
    """One call: the scores of its rows so far, in order; None for those that are not known yet."""

    scores: list[RowScores | None] = field(default_factory=list)
    keys: list[_Key] = field(default_factory=list)
    future: Future[list[RowScores]] = field(default_factory=Future)

    def settle(self) -> None:
        """Resolves the request if all of its scores are known."""
        scores = [score for score in self.scores if score is not None]
        if len(scores) == len(self.scores):
            with suppress(InvalidStateError):  # it was cancelled meanwhile
                self.future.set_result(scores)

    def fail(self, error: Exception) -> None:
        with suppress(InvalidStateError):
            self.future.set_exception(error)


@dataclass(eq=False)
class BatchRow:
    """A row, and the requests and positions that get its scores."""

    row: ScoreRow
    since_s: float
    """When the first request for it came, on the monotonic clock."""
    targets: list[tuple[ScoreRequest, int]] = field(default_factory=list)

    def set_scores(self, scores: RowScores) -> None:
        for request, i in self.targets:
            request.scores[i] = scores


class BatchQueue:
    """Rows by age. Equal rows, with equal places, are one row. Not safe to use from several threads."""

    def __init__(self) -> None:
        self._rows: dict[_Key, BatchRow] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def n_tokens(self) -> int:
        return sum(len(queued.row.ids) for queued in self._rows.values())

    @property
    def oldest_s(self) -> float:
        """When the oldest row came. The queue must not be empty."""
        return next(iter(self._rows.values())).since_s

    def add(self, request: ScoreRequest, rows: Sequence[ScoreRow | Unscored]) -> None:
        request.scores = [row if isinstance(row, Unscored) else None for row in rows]
        for i, row in enumerate(rows):
            if not isinstance(row, Unscored):
                ids = array("i", row.ids)  # four bytes per token
                key = ids.tobytes(), row.places
                request.keys.append(key)
                queued = self._rows.setdefault(key, BatchRow(ScoreRow(ids, row.places), time.monotonic()))
                queued.targets.append((request, i))

    def remove(self, request: ScoreRequest) -> None:
        for key in request.keys:
            row = self._rows.get(key)
            if row is not None:
                row.targets = [target for target in row.targets if target[0] is not request]
                if not row.targets:
                    del self._rows[key]

    def take(self, max_tokens: int) -> list[BatchRow]:
        """Removes and returns the next batch: the oldest row, so that none starves, and rows of similar length."""
        keys, rows = list(self._rows), list(self._rows.values())
        batch = next_batch([len(queued.row.ids) for queued in rows], max_tokens)
        for i in batch:
            del self._rows[keys[i]]
        return [rows[i] for i in batch]

    def clear(self) -> None:
        self._rows.clear()


def next_batch(lengths: Sequence[int], max_tokens: int) -> list[int]:
    """The indices of the next batch: the first length and similar lengths, as many as fit with padding.

    Sorts all lengths into batches, from the shortest to the longest, and returns the batch that has the first length.
    A length that is too large on its own is a batch of one.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and (len(batch) + 1) * lengths[i] > max_tokens:
            if 0 in batch:
                return batch
            batch = []
        batch.append(i)
    return batch
