"""The protocol of a store of records."""

from __future__ import annotations

from typing import Protocol

from egrm_graph.records.record import Record


class Store(Protocol):
    """Stores records from any thread.

    No method raises because of a disk or another process: a run's verdict matters more than its record. A warning says
    what was lost.
    """

    def put(self, record: Record) -> None:
        """Take a snapshot of the record and return before it is written."""
        ...

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all records are written. False if some are not."""
        ...

    def close(self) -> None:
        """Write the remaining records and release threads and files."""
        ...
