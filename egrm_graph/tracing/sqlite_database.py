"""The SQLite file of a store: its tables and how to open it.

The file uses WAL mode: many processes read while one writes, and a killed process leaves it intact. Filters search
`runs` without reading the full `records`.

Adding an optional column to `RunSummary` needs no new version of the schema. Older packages ignore the column. The
first newer package that writes to an old file adds the column and fills it from the records; until then, readers
compute it from the records.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from egrm_graph.errors import InputError
from egrm_graph.tracing.encoding import summary_in
from egrm_graph.tracing.private import make_file, narrow
from egrm_graph.tracing.run_summary import COLUMNS

APPLICATION = 0x6567726D
"""Marks the file as a store of this package (`egrm` in ASCII)."""
SCHEMA = 1
BUSY_S = 5.0
FILL_BATCH = 100
"""Filling a new column holds this many records in memory."""
WAL_BYTES = 16_000_000
"""A checkpoint truncates a larger write-ahead log to this size."""

SQL_TYPES: dict[type[Any], sa.types.TypeEngine[Any]] = {
    str: sa.Text(),
    int: sa.Integer(),
    float: sa.Float(),
    bool: sa.Boolean(),
}

metadata = sa.MetaData()
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    *(
        sa.Column(column.name, SQL_TYPES[column.kind], nullable=column.optional, unique=column.name == "run_id" or None)
        for column in COLUMNS
    ),
    sa.Index("runs_by_start", "started_at", "run_id"),
)
records = sa.Table(
    "records",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("json", sa.LargeBinary, nullable=False),
)


def to_write(path: Path) -> sa.Connection:
    """Open the store for writing. Creates it if needed and adds missing columns.

    Raises:
        InputError: The file is not a store, or a later version wrote it.
        OSError: The file cannot be opened or created.
    """
    with database_errors(path):
        make_file(path)
        connection = _connected(path, "rw")
        try:
            check(connection, path)
            _make(connection)
            if missing(connection):
                with transaction(connection):  # another process may have added them first
                    _add(connection, missing(connection))
        except BaseException:
            connection.close()
            raise
        for log in _log_files(path):
            if log.exists():
                narrow(log)
        return connection


def to_read(path: Path) -> sa.Connection:
    """Open the store for reading, without creating it.

    Reading needs no write permission unless the last writer was killed.

    Raises:
        InputError: The file is not a store, or a later version wrote it.
        OSError: The file cannot be opened.
    """
    with database_errors(path):
        try:
            connection = _checked(path, "ro")
        except OperationalError:
            if any(log.exists() for log in _log_files(path)):
                raise
            # The folder is read-only. Nobody is writing: a writer would have created the log files.
            connection = _checked(path, "ro&immutable=1")
        if pragma(connection, "user_version"):
            return connection
        connection.close()
        raise InputError(f"{path} has no runs")


def check_file(path: Path) -> None:
    """Check an existing file without changing it. Disk and permission errors appear on the first write.

    Raises:
        InputError: The file is not a store, or a later version wrote it.
    """
    if path.exists():
        with suppress(OSError), database_errors(path):
            _checked(path, "ro").close()


def check(connection: sa.Connection, path: Path) -> None:
    """Check that the file is a store that this package can use.

    Raises:
        InputError: The file is not a store, or a later version wrote it.
    """
    # Tables first: another process may create the store at this moment, tables and id in one transaction.
    tables = sa.inspect(connection).get_table_names()
    application, version = pragma(connection, "application_id"), pragma(connection, "user_version")
    if application != APPLICATION and (application or tables):
        raise InputError(f"{path} is a database of another program; name another store")
    if version > SCHEMA:
        raise InputError(
            f"{path} has version {version} of the store format, but this package supports {SCHEMA}; "
            "install a newer egrm-graph, or name another store"
        )


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Translate database errors to OSError and InputError, without the SQL statement and its values."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise InputError(f"{path} is not an SQLite file; name another store") from error
        raise OSError(f"{path}: {error.orig}") from error


@contextmanager
def transaction(connection: sa.Connection) -> Iterator[None]:
    """Run a write transaction. It takes the lock first, because one that starts by reading cannot wait for it."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def pragma(connection: sa.Connection, name: str) -> int:
    """The value of a numeric SQLite pragma."""
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def missing(connection: sa.Connection) -> list[sa.Column[Any]]:
    """The columns of `runs` that the file lacks."""
    known = {column["name"] for column in sa.inspect(connection).get_columns(runs.name)}
    return [column for column in runs.columns if column.name not in known]


def bytes_used(connection: sa.Connection) -> int:
    """The size of the file without its free pages."""
    pages = pragma(connection, "page_count") - pragma(connection, "freelist_count")
    return pages * pragma(connection, "page_size")


def _checked(path: Path, mode: str) -> sa.Connection:
    connection = _connected(path, mode)
    try:
        check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(path: Path, mode: str) -> sa.Connection:
    address = f"{path.absolute().as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # Without an isolation level, only `transaction` begins a transaction.
        return sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool).connect()


def _make(connection: sa.Connection) -> None:
    for name, value in (("synchronous", "NORMAL"), ("journal_size_limit", WAL_BYTES)):
        connection.exec_driver_sql(f"PRAGMA {name}={value}").close()
    if pragma(connection, "user_version") == SCHEMA:
        return
    # The order matters: `auto_vacuum` works only in an empty file.
    for name, value in (("auto_vacuum", "INCREMENTAL"), ("journal_mode", "WAL")):
        connection.exec_driver_sql(f"PRAGMA {name}={value}").close()
    with transaction(connection):
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION}").close()
        connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA}").close()


def _add(connection: sa.Connection, columns: Sequence[sa.Column[Any]]) -> None:
    for column in columns:
        kind = column.type.compile(connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {runs.name} ADD COLUMN {column.name} {kind}").close()
    if not columns:
        return
    changed = sa.update(runs).where(runs.c.id == sa.bindparam("of"))
    for number, data in connection.execute(sa.select(records.c.id, records.c.json)).yield_per(FILL_BATCH):
        row = summary_in(data)
        if row is not None:
            connection.execute(
                changed, {"of": number, **{column.name: getattr(row, column.name) for column in columns}}
            )


def _log_files(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
