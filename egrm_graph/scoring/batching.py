"""Batches the paths of all runs, from any number of threads and event loops.

A request waits for permits, a reader thread encodes its paths, and its rows then wait for the worker thread. Each batch
has the row that has waited longest, so that none starves, and rows of similar length. Equal rows, which a confident
model often draws, are scored once.

Memory is bounded. At most `max_pending_paths` are in progress at once, and a row has at most the model's context, with
four bytes per token. Further callers hold nothing here until they get their permits.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from egrm_graph.errors import ModelError, SettingsError
from egrm_graph.runtime.forking import call_in_children
from egrm_graph.scoring.batch_queue import BatchQueue, BatchRow, ScoreRequest
from egrm_graph.scoring.capacity import WeightedSemaphore
from egrm_graph.scoring.score_row import RowScores, ScoreRow
from egrm_graph.scoring.scorer import Unscored

_ReadRows = Callable[[], Sequence[ScoreRow | Unscored]]
_ScoreRows = Callable[[Sequence[ScoreRow]], Sequence[RowScores]]

BATCH_WAIT_S = 0.005
"""How long rows wait at most for those of requests that are being read."""
READERS = 4
"""Reader threads. This many huge texts can be read at once before others wait; `Layout` bounds the cost of one."""


class Batcher:
    """Runs `score_rows`, which must not raise, on a thread of its own."""

    def __init__(self, score_rows: _ScoreRows, *, name: str, max_batch_tokens: int, max_pending_paths: int) -> None:
        if max_pending_paths < 1:
            raise SettingsError(f"max_pending_paths={max_pending_paths} allows no path; set it to at least 1")
        self.max_pending_paths = max_pending_paths
        self._score_rows = score_rows
        self._name = name
        self._max_batch_tokens = max_batch_tokens
        self._closed = False
        self._start_over()
        call_in_children(self._start_over)

    def _start_over(self) -> None:
        """Creates threads, locks, and an empty queue. A forked child does so, too: the queue it has is its parent's."""
        self._permits = WeightedSemaphore(self.max_pending_paths)
        self._changed = threading.Condition()
        self._open: set[ScoreRequest] = set()
        self._reading = 0
        self._rows = BatchQueue()
        self._draining = False
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="egrm-scorer-reader")
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="egrm-scorer")

    @property
    def n_queued(self) -> int:
        """The number of distinct rows that wait for a batch."""
        return len(self._rows)

    @property
    def n_reading(self) -> int:
        """The number of requests that are being read."""
        return self._reading

    async def score(self, n_paths: int, read: _ReadRows, *, quick: bool = False) -> list[RowScores]:
        """The scores of the `n_paths` rows that `read` returns, at most `max_pending_paths`. Cancelling removes them.

        If `read` is `quick` and the worker is idle, the worker calls it, which saves waking another thread.

        Raises:
            ModelError: the scorer was closed.
        """
        self._refuse_if_closed()
        async with self._permits.hold(n_paths):
            request = self._admit(read, quick=quick)
            try:
                return await asyncio.wrap_future(request.future)
            finally:
                self._withdraw(request)

    def close(self) -> None:
        """Fails all requests, and waits for the running batch to end."""
        with self._changed:
            self._closed = True
            self._rows.clear()
            requests = list(self._open)
            self._changed.notify()
        self._permits.close(self._was_closed())
        for request in requests:
            request.fail(self._was_closed())
        self._readers.shutdown()
        self._worker.shutdown()
        self._score_rows = _all_unscored  # releases the weights

    def _admit(self, read: _ReadRows, *, quick: bool) -> ScoreRequest:
        request = ScoreRequest()
        with self._changed:
            self._refuse_if_closed()
            idle = not self._draining and not self._reading
            self._reading += 1
            self._open.add(request)
            reader = self._worker if quick and idle else self._readers
            reader.submit(self._read, request, read)
        return request

    def _withdraw(self, request: ScoreRequest) -> None:
        request.future.cancel()
        with self._changed:
            self._open.discard(request)
            self._rows.remove(request)

    def _read(self, request: ScoreRequest, read: _ReadRows) -> None:
        rows: Sequence[ScoreRow | Unscored] = ()
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

    def _queue(self, request: ScoreRequest, rows: Sequence[ScoreRow | Unscored]) -> None:
        self._rows.add(request, rows)
        if self._rows and not self._draining:
            self._draining = True
            self._worker.submit(self._drain)

    def _drain(self) -> None:
        while batch := self._next_batch():
            scored = self._score_rows([queued.row for queued in batch])
            for queued, scores in zip(batch, scored, strict=True):
                queued.set_scores(scores)
            for request in {request for queued in batch for request, _ in queued.targets}:
                request.settle()

    def _next_batch(self) -> list[BatchRow]:
        with self._changed:
            self._wait_for_more()
            batch = self._rows.take(self._max_batch_tokens)
            self._draining = bool(batch)
            return batch

    def _wait_for_more(self) -> None:
        """Waits for more rows, if requests are being read and the batch is not full."""
        while self._reading and self._rows and self._rows.n_tokens < self._max_batch_tokens:
            left_s = self._rows.oldest_s + BATCH_WAIT_S - time.monotonic()
            if left_s <= 0:
                return
            self._changed.wait(left_s)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise self._was_closed()

    def _was_closed(self) -> ModelError:
        return ModelError(f"the scorer {self._name!r} is closed; load it again")


def _all_unscored(rows: Sequence[ScoreRow]) -> list[RowScores]:
    return [Unscored("the scorer is closed")] * len(rows)
