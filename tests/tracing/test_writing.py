"""The thread that writes a store never delays a run and never loses a record silently."""

import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.tracing.opening import open_store
from egrm_graph.tracing.store_reading import runs
from egrm_graph.tracing.writer import Entry
from egrm_graph.tracing.writing import BackgroundStore
from tests.tracing.records import record
from tests.tracing.warning_texts import Warnings, texts


class Disk:
    """A sink that blocks unless it is free and fails the first `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.free = threading.Event()
        self.free.set()
        self.failures = failures
        self.written: list[list[str]] = []

    def write(self, entries: Sequence[Entry]) -> None:
        assert self.free.wait(30)
        if self.failures:
            self.failures -= 1
            raise OSError("no room")
        self.written.append([entry.summary.run_id for entry in entries])

    def tidy(self) -> None:
        pass

    def close(self) -> None:
        pass

    @property
    def runs(self) -> list[str]:
        return [run for batch in self.written for run in batch]


def put(store: BackgroundStore, *names: str) -> None:
    for name in names:
        store.put(record(run_id=name))


def test_put_does_not_wait_for_the_disk() -> None:
    disk = Disk()
    disk.free.clear()
    store = BackgroundStore("disk", lambda: disk)
    put(store, "a", "b", "c")
    assert not store.flush(0.05)
    disk.free.set()
    assert store.flush()
    assert disk.runs == ["a", "b", "c"]


def test_queued_entries_are_written_in_one_batch() -> None:
    disk = Disk()
    store = BackgroundStore("disk", lambda: disk)
    put(store, "a")
    assert store.flush()
    put(store, *"bcdef")
    assert store.flush()
    assert disk.written == [["a"], list("bcdef")]


def test_a_failed_write_warns_once_and_is_retried(seen: Warnings) -> None:
    disk = Disk(failures=2)
    store = BackgroundStore("disk", lambda: disk)
    put(store, "a")
    assert store.flush(30)
    assert texts(seen) == ["traces: no room; 1 records are waiting to be written"]
    assert disk.runs == ["a"]


def test_entries_beyond_the_limit_are_dropped_with_a_warning(seen: Warnings) -> None:
    disk = Disk()
    disk.free.clear()
    store = BackgroundStore("disk", lambda: disk, max_queue_bytes=20_000)  # two records
    put(store, *"abcd")
    disk.free.set()
    assert not store.flush()  # two of them were dropped
    put(store, "e")
    assert store.flush()
    store.close()
    assert disk.runs == ["a", "b", "e"]
    assert texts(seen) == [
        "traces: disk: the queue holds 20,000 bytes of records, so further records are dropped",
        "traces: disk: 2 records were not written",
    ]


def test_entries_not_written_at_close_are_counted(seen: Warnings) -> None:
    store = BackgroundStore("disk", lambda: Disk(failures=1))
    put(store, "a", "b")
    store.close()
    assert texts(seen)[-1] == "traces: disk: 2 records were not written"


def test_a_record_that_cannot_be_encoded_loses_no_other(seen: Warnings) -> None:
    disk = Disk()
    store = BackgroundStore("disk", lambda: disk)
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    store.put(record(settings=loop))
    put(store, "a")
    assert not store.flush()
    assert disk.runs == ["a"]
    assert "a record cannot be written as JSON: RecursionError" in texts(seen)[0]


def test_a_run_continues_if_warnings_are_errors() -> None:
    disk = Disk(failures=1)
    store = BackgroundStore("disk", lambda: disk, max_queue_bytes=10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        put(store, "a", "b")
        store.flush(30)
    assert disk.runs == ["a"]


def test_a_closed_store_can_be_used_again() -> None:
    disk = Disk()
    store = BackgroundStore("disk", lambda: disk)
    put(store, "a")
    store.close()
    put(store, "b")
    store.close()
    assert disk.runs == ["a", "b"]
    assert not [thread for thread in threading.enumerate() if thread.name == "egrm-traces"]


def test_records_come_from_many_threads() -> None:
    disk = Disk()
    store = BackgroundStore("disk", lambda: disk)
    threads = [threading.Thread(target=put, args=(store, *(f"{i}.{j}" for j in range(50)))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    assert sorted(disk.runs) == sorted(f"{i}.{j}" for i in range(8) for j in range(50))


@pytest.mark.parametrize("name", ["runs.db", "runs"])
def test_a_fork_writes_through_its_own_connection(tmp_path: Path, name: str) -> None:
    store = open_store(tmp_path / name, None, None)
    store.put(record(run_id="before"))
    assert store.flush()
    if (child := os.fork()) == 0:
        store.put(record(run_id="child"))
        os._exit(0 if store.flush() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.put(record(run_id="after"))
    assert store.flush()
    store.close()
    assert {row.run_id for row in runs(tmp_path / name)} == {"before", "child", "after"}


PROGRAM = """
from pathlib import Path
from egrm_graph.tracing.opening import open_store
from tests.tracing.records import record
store = open_store(Path({path!r}), None, None)
for i in range(100):
    store.put(record(run_id=str(i)))
"""


@pytest.mark.parametrize("name", ["runs.db", "runs"])
def test_all_records_are_written_when_the_program_ends(tmp_path: Path, name: str) -> None:
    code = PROGRAM.format(path=str(tmp_path / name))
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
    assert len(list(runs(tmp_path / name))) == 100


def test_put_returns_at_once_while_the_disk_is_busy() -> None:
    disk = Disk()
    disk.free.clear()
    store = BackgroundStore("disk", lambda: disk)
    started = time.perf_counter()
    put(store, *map(str, range(200)))
    assert time.perf_counter() - started < 2  # the disk blocks for 30 s
    disk.free.set()
    store.close()
