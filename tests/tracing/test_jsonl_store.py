"""A folder of JSON lines: permissions, files, and size."""

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from egrm_graph.tracing.limits import Pruned
from egrm_graph.tracing.opening import open_store, prune
from egrm_graph.tracing.store_reading import records, runs
from tests.tracing.records import record


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fill(folder: Path, n: int, keep_mb: float | None = None, first: int = 0) -> None:
    store = open_store(folder, None, keep_mb)
    for i in range(first, first + n):
        store.put(record(run_id=f"{i:04}", started_at=1000.0 + i))
        if i % 5 == 4:
            assert store.flush()
    store.close()


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("no_umask")
def test_only_the_owner_can_read_what_is_recorded(tmp_path: Path) -> None:
    fill(tmp_path / "runs", 1)
    [file] = (tmp_path / "runs").iterdir()
    assert (mode(tmp_path / "runs"), mode(file)) == (0o700, 0o600)


def test_each_line_is_a_record(tmp_path: Path) -> None:
    fill(tmp_path, 7)
    [file] = tmp_path.iterdir()
    assert [json.loads(line)["run_id"] for line in file.read_text().splitlines()] == [f"{i:04}" for i in range(7)]
    assert file.name.startswith("traces-20")
    assert f"-{os.getpid()}-0.jsonl" in file.name


def test_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    fill(tmp_path, 60, keep_mb=1.6)  # full at 0.1 MB, or 12 records of 8.7 kB; checked every 5
    assert [len(file.read_bytes().splitlines()) for file in sorted(tmp_path.iterdir())] == [15, 15, 15, 15]
    assert len(list(runs(tmp_path))) == 60


def test_the_oldest_files_are_deleted_over_the_size_limit(tmp_path: Path) -> None:
    fill(tmp_path, 300, keep_mb=1)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1_000_000
    left = [row.run_id for row in runs(tmp_path)]
    assert left == [f"{i:04}" for i in range(299, 299 - len(left), -1)]
    assert len(left) > 80


def test_other_files_are_neither_read_nor_deleted(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "1+1"}\n' * 1000)
    os.utime(questions, (0, 0))
    fill(tmp_path, 5)
    prune(tmp_path, 1e-9, 1e-6)
    assert list(tmp_path.iterdir()) == [questions]


def test_pruning_deletes_complete_files(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    [old] = tmp_path.iterdir()
    long_ago = time.time() - 200_000
    os.utime(old, (long_ago, long_ago))
    size = old.stat().st_size
    fill(tmp_path, 5, first=5)
    assert prune(tmp_path, 1, None, dry=True) == Pruned(5, size)
    assert len(list(runs(tmp_path))) == 10
    assert prune(tmp_path, 1, None) == Pruned(5, size)
    assert [row.run_id for row in runs(tmp_path)] == ["0009", "0008", "0007", "0006", "0005"]


def test_an_incomplete_line_is_skipped(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    [file] = tmp_path.iterdir()
    complete = file.read_bytes()
    file.write_bytes(complete[:-10])
    fill(tmp_path, 1, first=3)
    assert [found["run_id"] for found in records(tmp_path)] == ["0003", "0001", "0000"]
    assert file.read_bytes() == complete[:-10]


def test_a_deleted_file_is_followed_by_another(tmp_path: Path) -> None:
    store = open_store(tmp_path, None, None)
    store.put(record(run_id="lost"))
    assert store.flush()
    [file] = tmp_path.iterdir()
    file.unlink()
    store.put(record(run_id="second"))
    assert store.flush()
    store.close()
    assert [row.run_id for row in runs(tmp_path)] == ["second"]
