"""Write and read the runs of an SQLite file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from egrm_graph.tracing.encoding import summary_in
from egrm_graph.tracing.filter import Filter
from egrm_graph.tracing.limits import StoreLimits
from egrm_graph.tracing.pruning import give_back, prune
from egrm_graph.tracing.run_summary import COLUMN_NAMES, RunSummary, column_values
from egrm_graph.tracing.sqlite_database import database_errors, missing, records, runs, to_read, to_write, transaction
from egrm_graph.tracing.writer import Entry

PAGE_ROWS = 500
PAGE_RECORDS = 50
STATEMENT_RUNS = 48
"""The most runs in one statement. Fewer statements release Python's lock less often, and a busy program returns it
slowly. sqlite3 caches 128 prepared statements, and each number of runs takes two."""
TIDY_S = 60.0
TIDY_SHARE = 0.01
"""Prune early after writing this share of the allowed size."""
VACUUM_PAGES = 2000
"""Pages to free in one step, which keeps the lock short."""
_COLUMNS = [runs.c[name] for name in COLUMN_NAMES]


class SqliteSink:
    """Write batches of records, each in one transaction."""

    def __init__(self, path: Path, limits: StoreLimits) -> None:
        self._path = path
        self._limits = limits
        self._connection = to_write(path)
        self._inode = path.stat().st_ino
        self._tidied_at = -TIDY_S
        self._written_bytes = 0

    def write(self, entries: Sequence[Entry]) -> None:
        if self._path.stat().st_ino != self._inode:
            raise OSError(f"{self._path} was replaced")
        with database_errors(self._path), transaction(self._connection):
            for batch in (entries[i : i + STATEMENT_RUNS] for i in range(0, len(entries), STATEMENT_RUNS)):
                rows = tuple(chain.from_iterable(column_values(entry.summary) for entry in batch))
                contents = tuple(chain.from_iterable((entry.summary.run_id, entry.data) for entry in batch))
                self._connection.exec_driver_sql(_put_runs(len(batch)), rows)
                self._connection.exec_driver_sql(_put_records(len(batch)), contents)
        self._written_bytes += sum(len(entry.data) for entry in entries)

    def tidy(self) -> None:
        due = self._limits.bytes is not None and self._written_bytes > TIDY_SHARE * self._limits.bytes
        if due or time.monotonic() - self._tidied_at > TIDY_S:
            self._tidied_at, self._written_bytes = time.monotonic(), 0
            with database_errors(self._path):
                prune(self._connection, self._limits)
                give_back(self._connection, VACUUM_PAGES)

    def close(self) -> None:
        with database_errors(self._path):
            self._connection.close()


class SqliteReader:
    """Read a store while others write to it. Holds no lock between pages."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = to_read(path)
        with database_errors(path):
            self._missing = missing(self._connection)

    def rows(self, which: Filter) -> Iterator[RunSummary]:
        if self._missing:  # no newer package has written to the file yet
            yield from self._rows_of_records(which)
            return
        conditions = [compared(runs.c[name], value) for name, compared, value in which.conditions()]
        for page in self._pages(sa.select(*_COLUMNS).where(*conditions), PAGE_ROWS):
            yield from (RunSummary(*found) for found in page)

    def data(self, run_id: str) -> bytes | None:
        query = sa.select(records.c.json).join(runs, runs.c.id == records.c.id).where(runs.c.run_id == run_id)
        with database_errors(self._path):
            found: bytes | None = self._connection.execute(query).scalar_one_or_none()
            return found

    def beginning_with(self, prefix: str, limit: int) -> list[str]:
        query = sa.select(runs.c.run_id).where(runs.c.run_id.startswith(prefix, autoescape=True))
        with database_errors(self._path):
            return list(self._connection.execute(query.order_by(runs.c.run_id).limit(limit)).scalars())

    def close(self) -> None:
        self._connection.close()

    def _rows_of_records(self, which: Filter) -> Iterator[RunSummary]:
        """Compute the summaries from the records, because the table lacks columns."""
        query = sa.select(runs.c.run_id, runs.c.started_at, records.c.json).join(records, runs.c.id == records.c.id)
        for page in self._pages(query, PAGE_RECORDS):
            rows = (summary_in(found.json) for found in page)
            yield from (row for row in rows if row is not None and which.matches(row))

    def _pages(self, query: sa.Select[*tuple[Any, ...]], n_rows: int) -> Iterator[Sequence[sa.Row[*tuple[Any, ...]]]]:
        """Fetch pages of `n_rows`, newest first."""
        query = query.order_by(runs.c.started_at.desc(), runs.c.run_id.desc()).limit(n_rows)
        page = self._fetched(query)
        while page:
            yield page
            last = sa.tuple_(sa.literal(page[-1].started_at), sa.literal(page[-1].run_id))
            page = self._fetched(query.where(sa.tuple_(runs.c.started_at, runs.c.run_id) < last))

    def _fetched(self, query: sa.Select[*tuple[Any, ...]]) -> Sequence[sa.Row[*tuple[Any, ...]]]:
        with database_errors(self._path):
            return self._connection.execute(query).all()


@cache
def _put_runs(n: int) -> str:
    """Insert `n` runs. A run that is recorded again, such as one that was resumed, replaces the first."""
    marks = ", ".join([f"({', '.join('?' * len(COLUMN_NAMES))})"] * n)
    changes = ", ".join(f"{name} = excluded.{name}" for name in COLUMN_NAMES if name != "run_id")
    names = ", ".join(COLUMN_NAMES)
    return f"INSERT INTO runs ({names}) VALUES {marks} ON CONFLICT (run_id) DO UPDATE SET {changes}"


@cache
def _put_records(n: int) -> str:
    """Insert `n` records under the ids of their runs. A cross join keeps the order: a run's last record counts."""
    new = f"(VALUES {', '.join(['(?, ?)'] * n)}) AS new"
    ids = f"SELECT runs.id, new.column2 FROM {new} CROSS JOIN runs WHERE runs.run_id = new.column1"
    return f"INSERT OR REPLACE INTO records (id, json) {ids}"
