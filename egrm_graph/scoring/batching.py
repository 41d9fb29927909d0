"""Puts the paths of all runs together into batches, from any number of threads and event loops.

A request waits for room, is read (laid out and encoded) on a reader thread, and its rows wait for the one worker
thread. Each batch has the row that has waited longest, so that none starves, and those like it in length. Equal
rows, which a model that is sure of itself draws often, are scored once.

What is bounded: at most `max_waiting` paths are inside at once, read or not, running or not; a row is at most the
model's context long, and four bytes a token. Callers beyond that hold nothing here but their place in the line.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from egrm_graph.errors import ModelError, SettingsError
from egrm_graph.runtime.forking import call_in_children
from egrm_graph.scoring.batch_queue import Request, Row, WaitingRows
from egrm_graph.scoring.capacity import Room
from egrm_graph.scoring.scorer import Unscored

Read = Callable[[], Sequence[Sequence[int] | Unscored]]
ScoreRows = Callable[[Sequence[Sequence[int]]], Sequence[float | Unscored]]

COMPANY_S = 0.005
"""How long rows wait, at most, for those of requests that are being read."""
READERS = 4
"""So many huge texts at once before they hold up others; see `Layout` for what one costs at most."""


class Batcher:
    """Runs `score_rows`, which never raises, on a thread of its own."""

    def __init__(self, score_rows: ScoreRows, *, name: str, max_batch_tokens: int, max_waiting: int) -> None:
        if max_waiting < 1:
            raise SettingsError(f"max_waiting={max_waiting} leaves no room for a path; give at least 1")
        self.max_waiting = max_waiting
        self._score_rows = score_rows
        self._name = name
        self._max_batch_tokens = max_batch_tokens
        self._closed = False
        self._start_over()
        call_in_children(self._start_over)

    def _start_over(self) -> None:
        """Makes threads, locks, and an empty queue, for a forked child too: what waits there is its parent's."""
        self._room = Room(self.max_waiting)
        self._changed = threading.Condition()
        self._open: set[Request] = set()
        self._reading = 0
        self._rows = WaitingRows()
        self._draining = False
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="egrm-scorer-reader")
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="egrm-scorer")

    @property
    def waiting(self) -> int:
        """Different rows that wait for a batch."""
        return len(self._rows)

    @property
    def reading(self) -> int:
        """Requests that are being read."""
        return self._reading

    async def score(self, n_paths: int, read: Read, *, quick: bool = False) -> list[float | Unscored]:
        """The scores of the `n_paths` rows (at most `max_waiting`) that `read` gives. Cancelling takes them out.

        What is `quick` to read is read by the worker where it is idle, which saves waking another thread.

        Raises:
            ModelError: the scorer was closed.
        """
        self._refuse_if_closed()
        async with self._room.taken(n_paths):
            request = self._admit(read, quick=quick)
            try:
                return await asyncio.wrap_future(request.future)
            finally:
                self._withdraw(request)

    def close(self) -> None:
        """Fails what waits or runs, and waits for the batch that runs to end."""
        with self._changed:
            self._closed = True
            self._rows.clear()
            requests = list(self._open)
            self._changed.notify()
        self._room.close(self._was_closed())
        for request in requests:
            request.fail(self._was_closed())
        self._readers.shutdown()
        self._worker.shutdown()
        self._score_rows = _none_left  # lets go of the weights

    def _admit(self, read: Read, *, quick: bool) -> Request:
        request = Request()
        with self._changed:
            self._refuse_if_closed()
            idle = not self._draining and not self._reading
            self._reading += 1
            self._open.add(request)
            reader = self._worker if quick and idle else self._readers
            reader.submit(self._read, request, read)
        return request

    def _withdraw(self, request: Request) -> None:
        request.future.cancel()
        with self._changed:
            self._open.discard(request)
            self._rows.remove(request)

    def _read(self, request: Request, read: Read) -> None:
        rows: Sequence[Sequence[int] | Unscored] = ()
        try:
            rows = () if request.future.done() else read()
        except Exception as error:
            request.fail(error)
        with self._changed:
            self._reading -= 1
            if not request.future.done():
                self._queue(request, rows)
            self._changed.notify()
        request.settle()

    def _queue(self, request: Request, rows: Sequence[Sequence[int] | Unscored]) -> None:
        self._rows.add(request, rows)
        if self._rows and not self._draining:
            self._draining = True
            self._worker.submit(self._drain)

    def _drain(self) -> None:
        while batch := self._next_batch():
            scores = self._score_rows([row.ids for row in batch])
            for row, score in zip(batch, scores, strict=True):
                row.give(score)
            for request in {request for row in batch for request, _ in row.claims}:
                request.settle()

    def _next_batch(self) -> list[Row]:
        with self._changed:
            self._wait_for_company()
            batch = self._rows.take(self._max_batch_tokens)
            self._draining = bool(batch)
            return batch

    def _wait_for_company(self) -> None:
        """Only where there is reason to expect some: requests are being read, and the batch is not full."""
        while self._reading and self._rows and self._rows.n_tokens < self._max_batch_tokens:
            left_s = self._rows.oldest_s + COMPANY_S - time.monotonic()
            if left_s <= 0:
                return
            self._changed.wait(left_s)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise self._was_closed()

    def _was_closed(self) -> ModelError:
        return ModelError(f"the scorer {self._name!r} is closed; load it again to go on")


def _none_left(rows: Sequence[Sequence[int]]) -> list[float | Unscored]:
    return [Unscored("the scorer is closed")] * len(rows)
