"""What waits for a batch: rows of token ids, each with those who asked for its score, and which go next."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from egrm_graph.scoring.scorer import Unscored


@dataclass(eq=False)
class Request:
    """One call on its way: its scores, in order, as far as they are known."""

    scores: list[float | Unscored | None] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    future: Future[list[float | Unscored]] = field(default_factory=Future)

    def settle(self) -> None:
        """Resolves the request if its last score is there."""
        scores = [score for score in self.scores if score is not None]
        if len(scores) == len(self.scores):
            with suppress(InvalidStateError):  # it was let go meanwhile
                self.future.set_result(scores)

    def fail(self, error: Exception) -> None:
        with suppress(InvalidStateError):
            self.future.set_exception(error)


@dataclass(eq=False)
class Row:
    """Token ids, and the places in requests that their score goes to."""

    ids: Sequence[int]
    since_s: float
    """When the first of them came, on the monotonic clock."""
    claims: list[tuple[Request, int]] = field(default_factory=list)

    def give(self, score: float | Unscored) -> None:
        for request, i in self.claims:
            request.scores[i] = score


class WaitingRows:
    """Rows by age. Equal ones are one. Not safe to use from several threads."""

    def __init__(self) -> None:
        self._rows: dict[bytes, Row] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def n_tokens(self) -> int:
        return sum(len(row.ids) for row in self._rows.values())

    @property
    def oldest_s(self) -> float:
        """When the oldest came; there has to be one."""
        return next(iter(self._rows.values())).since_s

    def add(self, request: Request, rows: Sequence[Sequence[int] | Unscored]) -> None:
        request.scores = [row if isinstance(row, Unscored) else None for row in rows]
        for i, row in enumerate(rows):
            if not isinstance(row, Unscored):
                ids = array("i", row)  # four bytes a token
                key = ids.tobytes()
                request.keys.append(key)
                self._rows.setdefault(key, Row(ids, time.monotonic())).claims.append((request, i))

    def remove(self, request: Request) -> None:
        for key in request.keys:
            row = self._rows.get(key)
            if row is not None:
                row.claims = [claim for claim in row.claims if claim[0] is not request]
                if not row.claims:
                    del self._rows[key]

    def take(self, max_tokens: int) -> list[Row]:
        """The next batch: the oldest row, so that none starves, and those like it in length."""
        keys, rows = list(self._rows), list(self._rows.values())
        batch = next_batch([len(row.ids) for row in rows], max_tokens)
        for i in batch:
            del self._rows[keys[i]]
        return [rows[i] for i in batch]

    def clear(self) -> None:
        self._rows.clear()


def next_batch(lengths: Sequence[int], max_tokens: int) -> list[int]:
    """Indices of the first length and of those like it, as many as fit, padding included (but at least one).

    The lengths are cut into batches from the shortest on, as for a pass over all of them, and the first one's is taken.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and (len(batch) + 1) * lengths[i] > max_tokens:
            if 0 in batch:
                return batch
            batch = []
        batch.append(i)
    return batch
