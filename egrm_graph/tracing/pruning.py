"""Deletes the oldest runs of an SQLite file where there are too many."""

from __future__ import annotations

import time
from pathlib import Path

import sqlalchemy as sa

from egrm_graph.tracing.limits import Pruned, StoreLimits
from egrm_graph.tracing.sqlite_database import (
    bytes_used,
    database_errors,
    pragma,
    records,
    runs,
    to_read,
    to_write,
    transaction,
)

KEPT_SHARE = 0.95
"""Of the allowed size, when the oldest have been deleted: not at each write again."""
RUNS_AT_ONCE = 500
"""In one transaction, so that nobody waits long for it."""
SPARE_SHARE = 0.1
"""Of the file, which is left free for runs to come."""


def prune_file(path: Path, limits: StoreLimits, *, dry: bool) -> Pruned:
    """Deletes what is over the limits, and gives the space back; or, `dry`, says what that would be."""
    connection = to_read(path) if dry else to_write(path)
    try:
        with database_errors(path):
            if dry:
                return _counted(_over(connection, limits))
            found = prune(connection, limits)
            _cut(connection, 0)
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
            return found
    finally:
        connection.close()


def prune(connection: sa.Connection, limits: StoreLimits) -> Pruned:
    """Deletes the runs that are too old, and the oldest of those that are too much."""
    found = _over(connection, limits)
    for start in range(0, len(found), RUNS_AT_ONCE):
        ids = [number for number, _ in found[start : start + RUNS_AT_ONCE]]
        with transaction(connection):
            connection.execute(sa.delete(records).where(records.c.id.in_(ids)))
            connection.execute(sa.delete(runs).where(runs.c.id.in_(ids)))
    return _counted(found)


def give_back(connection: sa.Connection, n_pages: int) -> None:
    """Cuts up to so many free pages off the file, if there are more than runs to come will soon need."""
    if pragma(connection, "freelist_count") > SPARE_SHARE * pragma(connection, "page_count"):
        _cut(connection, n_pages)


def _over(connection: sa.Connection, limits: StoreLimits) -> list[tuple[int, int]]:
    """The ids and bytes of the runs that are over the limits, the oldest first."""
    used = bytes_used(connection)
    excess = used - KEPT_SHARE * limits.bytes if limits.bytes is not None and used > limits.bytes else 0.0
    before = sa.func.sum(runs.c.bytes).over(order_by=(runs.c.started_at, runs.c.run_id)) - runs.c.bytes
    dated = sa.select(runs.c.id, runs.c.bytes, runs.c.started_at, before.label("before")).subquery()
    conditions = []
    if limits.age_s is not None:
        conditions.append(dated.c.started_at < time.time() - limits.age_s)
    if excess > 0:
        conditions.append(dated.c.before < excess)
    if not conditions:
        return []
    query = sa.select(dated.c.id, dated.c.bytes).where(sa.or_(*conditions)).order_by(dated.c.started_at)
    return [(int(number), int(n_bytes)) for number, n_bytes in connection.execute(query)]


def _counted(found: list[tuple[int, int]]) -> Pruned:
    return Pruned(len(found), sum(n_bytes for _, n_bytes in found))


def _cut(connection: sa.Connection, n_pages: int) -> None:
    """0 cuts all of them."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.executescript(f"PRAGMA incremental_vacuum({n_pages})")  # each step frees a page; `execute` takes one
