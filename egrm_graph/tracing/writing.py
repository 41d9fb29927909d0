"""A store that writes in the background."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing.util import Finalize

from egrm_graph.records.record import Record
from egrm_graph.tracing.encoding import encoded
from egrm_graph.tracing.run_summary import summary_of
from egrm_graph.tracing.writer import MAX_QUEUE_BYTES, Entry, Sink, Writer


class BackgroundStore:
    """A `Store` on top of a sink. After a fork, each process has its own writer."""

    def __init__(self, name: str, open_sink: Callable[[], Sink], max_queue_bytes: int = MAX_QUEUE_BYTES) -> None:
        self._name = name
        self._open_sink = open_sink
        self._max_queue_bytes = max_queue_bytes
        self._writers: dict[int, Writer] = {}

    def put(self, record: Record) -> None:
        writer = self._writer()
        try:
            data = encoded(record)
            entry = Entry(summary_of(record, len(data)), data)
        except Exception as error:  # the run must succeed, whatever the record contains
            writer.lose(f"a record cannot be written as JSON: {type(error).__name__}: {error}")
            return
        writer.put(entry)

    @property
    def n_written(self) -> int:
        """How many records this process has written."""
        return self._writer().n_written

    def flush(self, timeout_s: float = 10.0) -> bool:
        return self._writer().flush(timeout_s)

    def close(self) -> None:
        self._writer().close()

    def _writer(self) -> Writer:
        pid = os.getpid()
        if pid in self._writers:
            return self._writers[pid]
        made = Writer(self._name, self._open_sink, self._max_queue_bytes)
        writer = self._writers.setdefault(pid, made)
        if writer is made:
            # Unlike weakref.finalize, this also runs at the end of a `multiprocessing` process.
            Finalize(self, made.close, exitpriority=0)
            made.close_sink_before_forks()
        return writer
