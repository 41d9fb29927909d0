"""The SQLite file of a store: permissions, version, and size."""

import os
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from egrm_graph.errors import InputError
from egrm_graph.tracing.limits import Pruned
from egrm_graph.tracing.opening import open_store, prune
from egrm_graph.tracing.store_reading import reading, record_of, runs
from tests.tracing.records import record
from tests.tracing.warning_texts import Warnings, texts

NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fill(path: Path, ages_s: Sequence[float], keep_days: float | None = None, keep_mb: float | None = None) -> None:
    store = open_store(path, keep_days, keep_mb)
    for i, age_s in enumerate(ages_s):
        store.put(record(run_id=f"{i:04}", started_at=time.time() - age_s))
        if i % 50 == 49:
            assert store.flush()
    store.close()


def names(path: Path) -> list[str]:
    return [row.run_id for row in runs(path)]


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("no_umask")
def test_only_the_owner_can_read_what_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "runs.db"
    store = open_store(path, None, None)
    store.put(record())
    assert store.flush()
    assert {file.name: mode(file) for file in path.parent.iterdir()} == {
        "runs.db": 0o600,
        "runs.db-wal": 0o600,
        "runs.db-shm": 0o600,
    }
    assert [mode(folder) for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]
    store.close()


def test_wider_permissions_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(path, [0])
    path.chmod(0o644)
    fill(path, [0])
    assert mode(path) == 0o600


def test_a_later_version_is_an_error_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(path, [0])
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version=2")
    before = path.read_bytes()
    for use in (lambda: open_store(path, None, None), lambda: record_of(path, "latest"), lambda: prune(path, 1, 1)):
        with pytest.raises(InputError, match="has version 2 of the store format, but this package supports 1"):
            use()
    assert path.read_bytes() == before


def test_another_programs_file_is_an_error_and_not_changed(tmp_path: Path) -> None:
    database, text = tmp_path / "theirs.db", tmp_path / "text.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    text.write_text("not a database, but long enough to be taken for one" * 100)
    before = database.read_bytes(), text.read_bytes()
    with pytest.raises(InputError, match=r"theirs\.db is a database of another program"):
        open_store(database, None, None)
    with pytest.raises(InputError, match=r"text\.db is not an SQLite file"):
        open_store(text, None, None)
    assert (database.read_bytes(), text.read_bytes()) == before


def test_an_empty_file_has_no_runs_and_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.touch()
    with pytest.raises(InputError, match="has no runs"):
        names(path)
    fill(path, [0])
    assert names(path) == ["0000"]


def test_the_oldest_runs_are_deleted_over_the_size_limit(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(path, [1000 - i for i in range(400)], keep_mb=1)  # 8.7 kB each
    left = names(path)
    assert left == [f"{i:04}" for i in range(399, 399 - len(left), -1)]
    assert 70 < len(left) < 115
    assert path.stat().st_size < 1_700_000  # a batch of 50 is written before any is deleted


def test_runs_over_the_age_limit_are_deleted(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(path, [200_000, 100_000, 90_000, 10])
    fill(path, [50, 20], keep_days=1)  # records 0000 and 0001 again; a day has 86,400 s
    assert names(path) == ["0003", "0001", "0000"]


def test_pruning_can_be_previewed_and_frees_space(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(path, [200_000] * 300 + [10] * 20)
    before = path.stat().st_size
    n_bytes = sum(row.bytes for row in runs(path) if row.run_id < "0300")
    assert prune(path, 1, None, dry=True) == Pruned(300, n_bytes)
    assert len(names(path)) == 320
    assert prune(path, 1, None) == Pruned(300, n_bytes)
    assert len(names(path)) == 20
    assert path.stat().st_size < before / 8
    assert prune(path, 1, None) == Pruned(0, 0)


def test_pruning_to_a_size_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(path, [300 - i for i in range(300)])
    prune(path, None, 1)
    left = names(path)
    assert left == [f"{i:04}" for i in range(299, 299 - len(left), -1)]
    assert 500_000 < path.stat().st_size <= 1_000_000


def test_reading_continues_while_runs_are_deleted(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(path, [1000 - i for i in range(600)])
    found = runs(path)
    first = next(found)
    prune(path, None, 1)
    rest = [row.run_id for row in found]
    assert (first.run_id, len(rest)) == ("0599", 499)  # the rest of the current page, but no deleted run after it


def test_a_deleted_store_is_created_again(tmp_path: Path, seen: Warnings) -> None:
    path = tmp_path / "runs.db"
    store = open_store(path, None, None)
    store.put(record(run_id="lost"))
    assert store.flush()
    for file in tmp_path.iterdir():
        file.unlink()
    store.put(record(run_id="second"))
    assert store.flush(30)
    store.close()
    assert len(texts(seen)) == 1
    assert names(path) == ["second"]


def test_a_store_is_read_without_write_permission() -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "runs.db"
        fill(path, [0])
        if (child := os.fork()) == 0:
            if os.geteuid() == 0:  # root may write anywhere
                os.chown(path, NOBODY, NOBODY)
                Path(name).chmod(0o555)
                os.seteuid(NOBODY)
            else:
                Path(name).chmod(0o500)
            os._exit(0 if names(path) == ["0000"] and not os.access(name, os.W_OK, effective_ids=True) else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        Path(name).chmod(0o700)
    assert status == 0


def test_a_reader_does_not_change_permissions(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(path, [0])
    path.chmod(0o400)
    with reading(path) as reader:
        assert reader.data("0000") is not None
        assert reader.data("zz") is None
    assert mode(path) == 0o400
