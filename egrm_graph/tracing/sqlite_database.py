"""The SQLite file of a store: its tables, and how it is opened.

The file is in WAL mode: many processes read while one writes, and a process that is killed leaves it whole. `runs` has
what runs are chosen by, apart from `records`, so that a search does not read whole records.

A column may be added to `runs` without a new version of the schema, if it may be null. Packages that do not know it
read and write the others. In a file that lacks it, the first package that knows it and writes adds it, and fills it
from the records; until then, readers take it from the records.
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
"""`egrm`: marks the file as a store of ours."""
SCHEMA = 1
BUSY_S = 5.0
FILLED_AT_ONCE = 100
"""Records that are in memory while columns are added."""
WAL_BYTES = 16_000_000
"""A larger write-ahead log is cut to that after its checkpoint."""

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
    """A connection to the store, which is made if there is none.

    Raises:
        InputError: it is no store, or one of a later version.
        OSError: it cannot be opened or made.
    """
    with database_errors(path):
        make_file(path)
        connection = _connected(path, "rw")
        try:
            check(connection, path)
            _make(connection)
            if missing(connection):
                with transaction(connection):  # another process may have been quicker
                    _add(connection, missing(connection))
        except BaseException:
            connection.close()
            raise
        for beside in _beside(path):
            if beside.exists():
                narrow(beside)
        return connection


def to_read(path: Path) -> sa.Connection:
    """A connection that can only read, and makes no store. It needs no right to write, unless the last process that
    wrote was killed.

    Raises:
        InputError: it is no store, or one of a later version.
        OSError: it cannot be opened.
    """
    with database_errors(path):
        try:
            connection = _checked(path, "ro")
        except OperationalError:
            if any(beside.exists() for beside in _beside(path)):
                raise
            # In a folder that cannot be written to; nobody writes now, for then there would be a file beside it.
            connection = _checked(path, "ro&immutable=1")
        if pragma(connection, "user_version"):
            return connection
        connection.close()
        raise InputError(f"{path} has no runs in it")


def check_file(path: Path) -> None:
    """Looks at what is there, and changes nothing. What a disk or its rights refuse is found out when it is written.

    Raises:
        InputError: it is no store, or one of a later version.
    """
    if path.exists():
        with suppress(OSError), database_errors(path):
            _checked(path, "ro").close()


def check(connection: sa.Connection, path: Path) -> None:
    """Raises:
    InputError: the file is no store, or one of a later version.
    """
    application, version = pragma(connection, "application_id"), pragma(connection, "user_version")
    if application != APPLICATION and (application or sa.inspect(connection).get_table_names()):
        raise InputError(f"{path} is a database of another program; name another store")
    if version > SCHEMA:
        raise InputError(
            f"{path} has the version {version} of the store, and this package knows {SCHEMA}; "
            "install a newer egrm-graph, or name another store"
        )


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """The database's errors as ours: what is wrong, without the statement and its values."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise InputError(f"{path} is no SQLite file; name another store") from error
        raise OSError(f"{path}: {error.orig}") from error


@contextmanager
def transaction(connection: sa.Connection) -> Iterator[None]:
    """A transaction that waits for its turn at once: one that began by reading could not."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def pragma(connection: sa.Connection, name: str) -> int:
    """The value of one of SQLite's numbers."""
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def missing(connection: sa.Connection) -> list[sa.Column[Any]]:
    """The columns of `runs` that the file does not have."""
    known = {column["name"] for column in sa.inspect(connection).get_columns(runs.name)}
    return [column for column in runs.columns if column.name not in known]


def bytes_used(connection: sa.Connection) -> int:
    """Of the file, without its free pages."""
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
        # Without an isolation level, nothing begins a transaction but `writing`.
        return sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool).connect()


def _make(connection: sa.Connection) -> None:
    for name, value in (("synchronous", "NORMAL"), ("journal_size_limit", WAL_BYTES)):
        connection.exec_driver_sql(f"PRAGMA {name}={value}").close()
    if pragma(connection, "user_version") == SCHEMA:
        return
    # In this order: the first is of use only before there is anything in the file.
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
    for number, data in connection.execute(sa.select(records.c.id, records.c.json)).yield_per(FILLED_AT_ONCE):
        row = summary_in(data)
        if row is not None:
            connection.execute(
                changed, {"of": number, **{column.name: getattr(row, column.name) for column in columns}}
            )


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
