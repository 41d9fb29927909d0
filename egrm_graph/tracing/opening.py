"""Open a store for writing: an SQLite file or a folder of JSON lines."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from egrm_graph.runtime.extras import require_extra
from egrm_graph.tracing.limits import Pruned, limits_of
from egrm_graph.tracing.writing import BackgroundStore

SUFFIXES = (".db", ".sqlite", ".sqlite3")


def is_database(path: Path) -> bool:
    """Whether the store at `path` is, or would become, an SQLite file: it is a file or has one of the suffixes."""
    return path.is_file() or (path.suffix in SUFFIXES and not path.is_dir())


def require_sqlite(path: Path) -> None:
    """Check that an SQLite store can be used.

    Raises:
        MissingExtra: SQLAlchemy is not installed.
    """
    require_extra("trace", f"The SQLite trace store {path}")


def open_store(path: Path, keep_days: float | None, keep_mb: float | None) -> BackgroundStore:
    """Open a store that writes to `path`.

    An existing file is checked now. A missing one is created with the first record.

    Raises:
        InputError: The file at `path` is not a store, or a later version wrote it.
    """
    limits = limits_of(keep_days, keep_mb)
    path = path.absolute()  # the working directory may change
    if is_database(path):
        require_sqlite(path)
        from egrm_graph.tracing.sqlite_database import check_file
        from egrm_graph.tracing.sqlite_store import SqliteSink

        check_file(path)
        return BackgroundStore(str(path), partial(SqliteSink, path, limits))
    from egrm_graph.tracing.jsonl_store import JsonlSink

    return BackgroundStore(str(path), partial(JsonlSink, path, limits))


def prune(path: Path, keep_days: float | None, keep_mb: float | None, *, dry: bool = False) -> Pruned:
    """Delete the runs over the limits, oldest first. With `dry`, only count them.

    Raises:
        InputError: No store is at `path`.
        OSError: The store cannot be written.
    """
    from egrm_graph.tracing.store_reading import reading

    limits = limits_of(keep_days, keep_mb)
    with reading(path):  # fails if the store is missing
        pass
    if is_database(path):
        from egrm_graph.tracing.pruning import prune_file

        return prune_file(path, limits, dry=dry)
    from egrm_graph.tracing.jsonl_store import prune_folder

    return prune_folder(path, limits, dry=dry)
