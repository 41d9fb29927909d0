"""The thread that writes a store. No run waits for a disk.

The thread writes at most every `PAUSE_S`, and then all records at once: one transaction per record would cost more than
the records do. Records that cannot be written are queued, up to `MAX_QUEUE_BYTES`, and retried.
"""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from egrm_graph.tracing.run_summary import RunSummary

PAUSE_S = 0.1
RETRY_S = 1.0
CLOSE_S = 10.0
FORK_S = 10.0
MAX_QUEUE_BYTES = 64_000_000


class Entry(NamedTuple):
    """An encoded record and its summary."""

    summary: RunSummary
    data: bytes


class Sink(Protocol):
    """The destination of records, used by one thread at a time.

    An exception is reported as a warning. Then the sink is closed, and a new one is opened.
    """

    def write(self, entries: Sequence[Entry]) -> None:
        """Write all entries or none."""
        ...

    def tidy(self) -> None:
        """Delete old runs if it is time. Called after each write."""
        ...

    def close(self) -> None: ...


class Writer:
    """The queue of one process and the thread that empties it. The thread starts with the first record.

    The sink is closed before the process forks. Otherwise SQLite would treat the parent's locks as the child's, and
    delete the child's log.
    """

    def __init__(self, name: str, open_sink: Callable[[], Sink], max_queue_bytes: int) -> None:
        self._name = name
        self._open_sink = open_sink
        self._max_queue_bytes = max_queue_bytes
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._sink_lock = threading.Lock()
        self._sink: Sink | None = None
        self._queue: list[Entry] = []
        self._queue_bytes = 0
        self._n_put = self._n_written = self._n_lost = 0
        self._lost_at_flush = 0
        self._flush_target = 0  # `flush` waits until this many are written
        self._idle = self._closing = False
        self._thread: threading.Thread | None = None
        self._warned: set[str] = set()

    def put(self, entry: Entry) -> None:
        """Queue the entry, or drop it if the queue is full."""
        with self._changed:
            if fits := self._queue_bytes + len(entry.data) <= self._max_queue_bytes:
                self._queue.append(entry)
                self._queue_bytes += len(entry.data)
                self._n_put += 1
                self._start()
                if self._idle:
                    self._changed.notify_all()
        if not fits:
            self.lose(f"the queue holds {self._max_queue_bytes:,} bytes of records, so further records are dropped")

    def lose(self, reason: str) -> None:
        """Count a record that will never be written. Warns about the first one."""
        with self._changed:
            self._n_lost += 1
        self._warn("lost", f"traces: {self._name}: {reason}")

    @property
    def n_written(self) -> int:
        """How many entries are in the sink."""
        return self._n_written

    def flush(self, timeout_s: float) -> bool:
        """Wait until all queued entries are written. False on time-out, and if any were lost since the last flush."""
        with self._changed:
            target = self._flush_target = self._n_put
            self._changed.notify_all()
            written = self._changed.wait_for(lambda: self._n_written >= target, timeout_s)
            lost, self._lost_at_flush = self._n_lost > self._lost_at_flush, self._n_lost
        return written and not lost

    def close(self) -> None:
        """Write the remaining entries. Warns if some cannot be written."""
        if os.getpid() != self._pid:
            return
        with self._changed:
            thread, self._thread, self._closing = self._thread, None, True
            self._changed.notify_all()
        if thread is threading.current_thread():  # the garbage collector closed the store on this thread
            return
        if thread is not None:
            thread.join(CLOSE_S)
        with self._changed:
            n_lost = self._n_lost + len(self._queue)
            self._closing = thread is not None and thread.is_alive()
        if n_lost:
            self._warn("closed", f"traces: {self._name}: {n_lost:,} records were not written")

    def close_sink_before_forks(self) -> None:
        """Register with `os.register_at_fork`. Call once."""
        this, held = weakref.ref(self), list[Writer]()

        def before() -> None:
            writer = this()
            if writer is not None and writer._pid == os.getpid() and writer._sink_lock.acquire(timeout=FORK_S):
                held.append(writer)
                writer._close_sink()

        def after() -> None:
            while held:
                held.pop()._sink_lock.release()

        os.register_at_fork(before=before, after_in_parent=after)

    def _start(self) -> None:
        if self._thread is None and not self._closing:
            with suppress(RuntimeError):  # no thread can start while the interpreter exits
                thread = threading.Thread(target=self._run, name="egrm-traces", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while self._pause():
            try:
                with self._sink_lock:
                    self._write()
            except Exception as error:  # no disk error may end the thread
                self._warn("trouble", f"traces: {error}; {len(self._queue):,} records are waiting to be written")
                with self._sink_lock:
                    self._close_sink()
                with self._changed:
                    if self._closing:
                        break
                    self._changed.wait_for(lambda: self._closing, RETRY_S)
        with self._sink_lock:
            self._close_sink()

    def _pause(self) -> bool:
        """Wait until there are entries to write. False if the writer is closing and the queue is empty."""
        with self._changed:
            # A new record does not end the pause, but `flush` does.
            self._changed.wait_for(lambda: self._flush_target > self._n_written or self._closing, PAUSE_S)
            self._idle = True
            self._changed.wait_for(lambda: self._queue or self._closing)
            self._idle = False
            return bool(self._queue)

    def _write(self) -> None:
        self._sink = self._sink or self._open_sink()
        with self._changed:
            entries = self._queue[:]
        self._sink.write(entries)
        with self._changed:
            del self._queue[: len(entries)]
            self._queue_bytes -= sum(len(entry.data) for entry in entries)
            self._n_written += len(entries)
            self._changed.notify_all()
        self._sink.tidy()

    def _close_sink(self) -> None:
        sink, self._sink = self._sink, None
        with suppress(Exception):  # the entries are written already
            if sink is not None:
                sink.close()

    def _warn(self, kind: str, message: str) -> None:
        """Warn once per kind."""
        if kind in self._warned:
            return
        self._warned.add(kind)
        with suppress(RuntimeWarning):  # even if warnings are errors, the run must succeed
            warnings.warn(message, RuntimeWarning, stacklevel=2)
