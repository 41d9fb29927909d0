"""Which kind of store is at a path: an SQLite file, or a folder of JSON lines."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from egrm_graph.runtime.extras import require_extra
from egrm_graph.tracing.limits import Pruned, limits_of
from egrm_graph.tracing.writing import WrittenBehind

SUFFIXES = (".db", ".sqlite", ".sqlite3")


def is_database(path: Path) -> bool:
    """Whether the store there is, or would be, an SQLite file: by its suffix, or because it is a file."""
    return path.is_file() or (path.suffix in SUFFIXES and not path.is_dir())


def require_sqlite(path: Path) -> None:
    """Check that an SQLite store can be used.

    Raises:
        MissingExtra: SQLAlchemy is not installed.
    """
    require_extra("trace", f"The SQLite trace store {path}")


def open_store(path: Path, keep_days: float | None, keep_mb: float | None) -> WrittenBehind:
    """A store that writes there. What is there is looked at now; what is missing is made with the first record.

    Raises:
        InputError: what is there is no store, or one of a later version.
    """
    limits = limits_of(keep_days, keep_mb)
    path = path.absolute()  # the folder that a program works in may change
    if is_database(path):
        require_sqlite(path)
        from egrm_graph.tracing.sqlite_database import check_file
        from egrm_graph.tracing.sqlite_store import SqliteSink

        check_file(path)
        return WrittenBehind(str(path), partial(SqliteSink, path, limits))
    from egrm_graph.tracing.jsonl_store import LinesSink

    return WrittenBehind(str(path), partial(LinesSink, path, limits))


def prune(path: Path, keep_days: float | None, keep_mb: float | None, *, dry: bool = False) -> Pruned:
    """Deletes the runs in a store that are over the limits, the oldest first; or, `dry`, says what that would be.

    Raises:
        InputError: there is no store.
        OSError: it cannot be written.
    """
    from egrm_graph.tracing.store_reading import reading

    limits = limits_of(keep_days, keep_mb)
    with reading(path):  # it has to be there
        pass
    if is_database(path):
        from egrm_graph.tracing.pruning import prune_file

        return prune_file(path, limits, dry=dry)
    from egrm_graph.tracing.jsonl_store import prune_folder

    return prune_folder(path, limits, dry=dry)
