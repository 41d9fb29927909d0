"""The thread that writes a store, so that no run waits for a disk.

Records are written as soon as they come, but at most every `PAUSE_S`, and those that came meanwhile all at once: a
transaction for each would cost more than the records do. What cannot be written waits, up to `MAX_WAITING_BYTES`, and
is tried again.
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
MAX_WAITING_BYTES = 64_000_000


class Entry(NamedTuple):
    """A record on its way to the disk."""

    summary: RunSummary
    data: bytes


class Sink(Protocol):
    """Where records go in the end. It is used by one thread at a time; what it raises is told, and then it is closed
    and another one is tried."""

    def write(self, entries: Sequence[Entry]) -> None:
        """Writes all of them, or none."""
        ...

    def tidy(self) -> None:
        """Called after each write, to delete now and then what is too old or too much."""
        ...

    def close(self) -> None: ...


class Writer:
    """One process's queue and the thread that empties it. The thread starts with the first record.

    It lets go of its sink before the process forks: SQLite would take the parent's locks for the child's own, and the
    child's log would be deleted under it.
    """

    def __init__(self, name: str, open_sink: Callable[[], Sink], max_waiting_bytes: int) -> None:
        self._name = name
        self._open_sink = open_sink
        self._max_waiting_bytes = max_waiting_bytes
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._using = threading.Lock()  # the sink
        self._sink: Sink | None = None
        self._waiting: list[Entry] = []
        self._waiting_bytes = 0
        self._n_put = self._n_written = self._n_lost = 0
        self._lost_at_flush = 0
        self._wanted = 0  # somebody waits until so many are written
        self._idle = self._closing = False
        self._thread: threading.Thread | None = None
        self._told: set[str] = set()

    def put(self, entry: Entry) -> None:
        """Takes the entry, or drops it where there is no room."""
        with self._changed:
            if fits := self._waiting_bytes + len(entry.data) <= self._max_waiting_bytes:
                self._waiting.append(entry)
                self._waiting_bytes += len(entry.data)
                self._n_put += 1
                self._start()
                if self._idle:
                    self._changed.notify_all()
        if not fits:
            self.lose(f"{self._max_waiting_bytes:,} bytes of records wait already, and more than that are dropped")

    def lose(self, why: str) -> None:
        """Counts a record that will never be written; the first of them is told."""
        with self._changed:
            self._n_lost += 1
        self._tell("lost", f"traces: {self._name}: {why}")

    @property
    def n_written(self) -> int:
        """Entries that are in the sink."""
        return self._n_written

    def flush(self, timeout_s: float) -> bool:
        """Waits for what was put before; False too where something was lost since the last time."""
        with self._changed:
            wanted = self._wanted = self._n_put
            self._changed.notify_all()
            written = self._changed.wait_for(lambda: self._n_written >= wanted, timeout_s)
            lost, self._lost_at_flush = self._n_lost > self._lost_at_flush, self._n_lost
        return written and not lost

    def close(self) -> None:
        """Writes what is left. What cannot be written now is given up, and told."""
        if os.getpid() != self._pid:
            return
        with self._changed:
            thread, self._thread, self._closing = self._thread, None, True
            self._changed.notify_all()
        if thread is threading.current_thread():  # it collected the garbage that the store was in
            return
        if thread is not None:
            thread.join(CLOSE_S)
        with self._changed:
            n_lost = self._n_lost + len(self._waiting)
            self._closing = thread is not None and thread.is_alive()
        if n_lost:
            self._tell("closed", f"traces: {self._name}: {n_lost:,} records were not written")

    def let_go_before_forks(self) -> None:
        """To be called once."""
        this, held = weakref.ref(self), list[Writer]()

        def before() -> None:
            writer = this()
            if writer is not None and writer._pid == os.getpid() and writer._using.acquire(timeout=FORK_S):
                held.append(writer)
                writer._let_go()

        def after() -> None:
            while held:
                held.pop()._using.release()

        os.register_at_fork(before=before, after_in_parent=after)

    def _start(self) -> None:
        if self._thread is None and not self._closing:
            with suppress(RuntimeError):  # at the end of the program no thread starts any more
                thread = threading.Thread(target=self._run, name="egrm-traces", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while self._pause():
            try:
                with self._using:
                    self._write()
            except Exception as error:  # it is told; nothing that a disk does may end the thread
                self._tell("trouble", f"traces: {error}; {len(self._waiting):,} records wait to be written")
                with self._using:
                    self._let_go()
                with self._changed:
                    if self._closing:
                        break
                    self._changed.wait_for(lambda: self._closing, RETRY_S)
        with self._using:
            self._let_go()

    def _pause(self) -> bool:
        """Waits until there is something to write; False where it is over."""
        with self._changed:
            # No record wakes it before the pause is over; whoever waits for one does.
            self._changed.wait_for(lambda: self._wanted > self._n_written or self._closing, PAUSE_S)
            self._idle = True
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._idle = False
            return bool(self._waiting)

    def _write(self) -> None:
        self._sink = self._sink or self._open_sink()
        with self._changed:
            entries = self._waiting[:]
        self._sink.write(entries)
        with self._changed:
            del self._waiting[: len(entries)]
            self._waiting_bytes -= sum(len(entry.data) for entry in entries)
            self._n_written += len(entries)
            self._changed.notify_all()
        self._sink.tidy()

    def _let_go(self) -> None:
        sink, self._sink = self._sink, None
        with suppress(Exception):  # what matters is written already
            if sink is not None:
                sink.close()

    def _tell(self, kind: str, what: str) -> None:
        """Warns, once of each kind."""
        if kind in self._told:
            return
        self._told.add(kind)
        with suppress(RuntimeWarning):  # where warnings are errors, a record is still not worth a verdict
            warnings.warn(what, RuntimeWarning, stacklevel=2)
