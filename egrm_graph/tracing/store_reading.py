"""Reads what stores have kept. It needs no right to write, and makes no store."""

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
from egrm_graph.tracing.summary_row import Row

LATEST = "latest"
LISTED = 5
"""Runs that are named where several begin alike."""


class Reader(Protocol):
    """One store that is being read."""

    def rows(self, which: Filter) -> Iterator[Row]:
        """The newest first."""
        ...

    def data(self, run_id: str) -> bytes | None:
        """The record; None where there is none."""
        ...

    def beginning_with(self, prefix: str, limit: int) -> list[str]:
        """The run ids that do, in order."""
        ...

    def close(self) -> None: ...


def runs(store: Path, which: Filter = ALL) -> Iterator[Row]:
    """The runs, the newest first, a few at a time.

    Raises:
        InputError: there is no store.
    """
    with reading(store) as reader:
        yield from reader.rows(which)


def records(store: Path, which: Filter = ALL) -> Generator[Record, None, None]:
    """The records of the runs, the newest first, one at a time. One that is deleted meanwhile is left out.

    Raises:
        InputError: there is no store.
    """
    with reading(store) as reader:
        for row in reader.rows(which):
            if (data := reader.data(row.run_id)) is not None:
                yield _record(data)


def record_of(store: Path, run: str) -> Record:
    """The record of the run whose id is or begins with `run`; `latest` is the one that started last.

    Raises:
        InputError: there is no store, no such run, or several.
    """
    with reading(store) as reader:
        data = reader.data(_run_id(reader, store, run))
    if data is None:
        raise InputError(f"the run {run!r} was just deleted from {store}")
    return _record(data)


@contextmanager
def reading(store: Path) -> Iterator[Reader]:
    """Raises:
    InputError: there is no store.
    """
    if not store.exists():
        raise InputError(f"there is no store at {store}; record runs with --trace, or name another --store")
    reader = _reader(store)
    try:
        yield reader
    finally:
        reader.close()


def _reader(store: Path) -> Reader:
    if is_database(store):
        require_sqlite(store)
        from egrm_graph.tracing.sqlite_store import SqliteReader

        return SqliteReader(store)
    from egrm_graph.tracing.jsonl_store import LinesReader

    return LinesReader(store)


def _run_id(reader: Reader, store: Path, run: str) -> str:
    if run == LATEST:
        if (newest := next(reader.rows(ALL), None)) is None:
            raise InputError(f"there are no runs in {store}")
        return newest.run_id
    found = reader.beginning_with(run, LISTED + 1)
    if not found:
        raise InputError(f"there is no run {run!r} in {store}; `egrm trace list` shows those that are")
    if len(found) > 1 and run not in found:
        named = ", ".join(found[:LISTED]) + (", ..." if len(found) > LISTED else "")
        raise InputError(f"several runs begin with {run!r}: {named}; give more of the id")
    return run if run in found else found[0]


def _record(data: bytes) -> Record:
    record = decoded(data)
    if record["version"] > VERSION:
        raise InputError(
            f"the run {record['run_id']} was recorded in the version {record['version']}, and this package knows "
            f"{VERSION}; install a newer egrm-graph"
        )
    complete(record)
    return record
