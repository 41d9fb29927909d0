"""Delete the oldest runs of an SQLite file."""

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

TARGET_SHARE = 0.95
"""Pruning reduces the file to this share of the allowed size, so the next write does not prune again."""
RUNS_PER_TRANSACTION = 500
"""Keeps each transaction short for other processes."""
FREE_SHARE = 0.1
"""The share of the file that stays free for new runs."""


def prune_file(path: Path, limits: StoreLimits, *, dry: bool) -> Pruned:
    """Delete the runs over the limits and shrink the file. With `dry`, only count them."""
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
    """Delete runs that are too old, then the oldest runs until the rest fits."""
    found = _over(connection, limits)
    for start in range(0, len(found), RUNS_PER_TRANSACTION):
        ids = [run_id for run_id, _ in found[start : start + RUNS_PER_TRANSACTION]]
        with transaction(connection):
            connection.execute(sa.delete(records).where(records.c.id.in_(ids)))
            connection.execute(sa.delete(runs).where(runs.c.id.in_(ids)))
    return _counted(found)


def give_back(connection: sa.Connection, n_pages: int) -> None:
    """Remove up to `n_pages` free pages from the file, if it has more of them than new runs will soon need."""
    if pragma(connection, "freelist_count") > FREE_SHARE * pragma(connection, "page_count"):
        _cut(connection, n_pages)


def _over(connection: sa.Connection, limits: StoreLimits) -> list[tuple[int, int]]:
    """The ids and sizes of the runs over the limits, oldest first."""
    used = bytes_used(connection)
    excess = used - TARGET_SHARE * limits.bytes if limits.bytes is not None and used > limits.bytes else 0.0
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
    return [(int(run_id), int(n_bytes)) for run_id, n_bytes in connection.execute(query)]


def _counted(found: list[tuple[int, int]]) -> Pruned:
    return Pruned(len(found), sum(n_bytes for _, n_bytes in found))


def _cut(connection: sa.Connection, n_pages: int) -> None:
    """Remove free pages. 0 removes all of them."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.executescript(f"PRAGMA incremental_vacuum({n_pages})")  # each step frees a page; `execute` takes one
