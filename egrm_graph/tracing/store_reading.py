"""Read the runs of a store. Reading needs no write permission and creates no store."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from egrm_graph.errors import InputError
from egrm_graph.records.record import VERSION, Record
from egrm_graph.tracing.encoding import decoded
from egrm_graph.tracing.filter import ALL, Filter
from egrm_graph.tracing.old_records import complete
from egrm_graph.tracing.opening import is_database, require_sqlite
from egrm_graph.tracing.run_summary import RunSummary

LATEST = "latest"
MAX_NAMED = 5
"""An error about an ambiguous run id names this many runs."""


class StoreReader(Protocol):
    """Reads one store."""

    def rows(self, which: Filter) -> Iterator[RunSummary]:
        """The summaries of the matching runs, newest first."""
        ...

    def data(self, run_id: str) -> bytes | None:
        """The encoded record, or None if the run is missing."""
        ...

    def beginning_with(self, prefix: str, limit: int) -> list[str]:
        """The run ids that begin with `prefix`, in order."""
        ...

    def close(self) -> None: ...


def runs(store: Path, which: Filter = ALL) -> Iterator[RunSummary]:
    """Iterate over the summaries of the runs, newest first, a page at a time.

    Raises:
        InputError: No store is at `store`.
    """
    with reading(store) as reader:
        yield from reader.rows(which)


def records(store: Path, which: Filter = ALL) -> Generator[Record, None, None]:
    """Iterate over the records of the runs, newest first, one at a time.

    A run that is deleted in the meantime is left out.

    Raises:
        InputError: No store is at `store`.
    """
    with reading(store) as reader:
        for row in reader.rows(which):
            if (data := reader.data(row.run_id)) is not None:
                yield _record(data)


def record_of(store: Path, run: str) -> Record:
    """Read the record of the run whose id is or begins with `run`. `latest` is the run that started last.

    Raises:
        InputError: No store is at `store`, or not exactly one run matches.
    """
    with reading(store) as reader:
        data = reader.data(_run_id(reader, store, run))
    if data is None:
        raise InputError(f"run {run!r} was just deleted from {store}")
    return _record(data)


@contextmanager
def reading(store: Path) -> Iterator[StoreReader]:
    """Open a store for reading.

    Raises:
        InputError: No store is at `store`.
    """
    if not store.exists():
        raise InputError(f"no store at {store}; record runs with --trace, or name another --store")
    reader = _reader(store)
    try:
        yield reader
    finally:
        reader.close()


def _reader(store: Path) -> StoreReader:
    if is_database(store):
        require_sqlite(store)
        from egrm_graph.tracing.sqlite_store import SqliteReader

        return SqliteReader(store)
    from egrm_graph.tracing.jsonl_store import JsonlReader

    return JsonlReader(store)


def _run_id(reader: StoreReader, store: Path, run: str) -> str:
    if run == LATEST:
        if (newest := next(reader.rows(ALL), None)) is None:
            raise InputError(f"{store} has no runs")
        return newest.run_id
    found = reader.beginning_with(run, MAX_NAMED + 1)
    if not found:
        raise InputError(f"no run {run!r} in {store}; `egrm trace list` shows the runs")
    if len(found) > 1 and run not in found:
        named = ", ".join(found[:MAX_NAMED]) + (", ..." if len(found) > MAX_NAMED else "")
        raise InputError(f"several runs begin with {run!r}: {named}; give more of the id")
    return run if run in found else found[0]


def _record(data: bytes) -> Record:
    record = decoded(data)
    if record["version"] > VERSION:
        raise InputError(
            f"run {record['run_id']} was recorded in version {record['version']}, but this package reads up to "
            f"{VERSION}; install a newer egrm-graph"
        )
    complete(record)
    return record
