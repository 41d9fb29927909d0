"""What keeps records."""

from __future__ import annotations

from typing import Protocol

from egrm_graph.records.record import Record


class Store(Protocol):
    """Takes records from any thread. None of its methods raises for what a disk or another process does: a run's
    verdict is worth more than its record, and a warning tells what was lost."""

    def put(self, record: Record) -> None:
        """Takes the record as it is now, and returns before it is written."""
        ...

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Waits until everything that was put is written; False where it is not."""
        ...

    def close(self) -> None:
        """Writes what is left and lets go of threads and files."""
        ...
