"""Many processes, killed processes, and a full disk."""

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

import egrm_graph.tracing.sqlite_store  # noqa: F401 - a child that imports it first is killed before it writes
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.tracing.opening import open_store
from egrm_graph.tracing.store_reading import reading, record_of, runs
from tests.tracing.records import record
from tests.tracing.warning_texts import Warnings, texts

pytestmark = pytest.mark.slow

FORK = multiprocessing.get_context("fork")
KINDS = pytest.mark.parametrize("name", ["runs.db", "runs"])


def write(path: Path, writer: int, n: int) -> None:
    """Write `n` runs, then exit."""
    store, made = open_store(path, None, None), record()
    for i in range(n):
        made["run_id"], made["started_at"] = f"{writer}.{i:05}", time.time()
        store.put(made)
    os._exit(0 if store.flush(60) else 1)


def read(path: Path, over: Event) -> None:
    """Read until `over` is set. The number of runs never falls, and every run can be read."""
    n_before = 0
    while not over.is_set():
        if path.exists():
            with reading(path) as reader:
                names = reader.beginning_with("", 100_000)
                assert len(names) >= n_before
                for name in names[-20:]:
                    data = reader.data(name)
                    assert data is not None
                    assert json.loads(data)["run_id"] == name
                n_before = len(names)
        time.sleep(0.05)
    os._exit(0)


def intact(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.slow
def test_eight_processes_write_while_two_read(tmp_path: Path) -> None:
    path, over = tmp_path / "runs.db", FORK.Event()
    store = open_store(path, None, None)
    store.put(record(run_id="first"))  # creates the file: a reader may open it before a writer does
    store.close()
    writers = [FORK.Process(target=write, args=(path, i, 1250)) for i in range(8)]
    readers = [FORK.Process(target=read, args=(path, over)) for _ in range(2)]
    for process in writers + readers:
        process.start()
    for process in writers:
        process.join(60)
    over.set()
    for process in readers:
        process.join(20)
    assert [process.exitcode for process in writers + readers] == [0] * 10
    assert {row.run_id for row in runs(path)} == {"first", *(f"{i}.{j:05}" for i in range(8) for j in range(1250))}
    assert intact(path)


def write_until_killed(path: Path, writer: int, report: int) -> None:
    """Write until killed, and report the acknowledged runs."""
    store, made, i = open_store(path, None, None), record(), 0
    while True:
        names = [f"{writer:02}.{i + j:05}" for j in range(7)]
        for name in names:
            made["run_id"] = name
            store.put(made)
        i += 7
        if store.flush():
            os.write(report, "".join(f"{name}\n" for name in names).encode())


@pytest.mark.slow
@KINDS
def test_killed_writers_lose_no_acknowledged_run(tmp_path: Path, name: str) -> None:
    path, chance, acknowledged = tmp_path / name, random.Random(6), set[str]()
    for writer in range(50):
        ours, theirs = os.pipe()
        process = FORK.Process(target=write_until_killed, args=(path, writer, theirs))
        process.start()
        os.close(theirs)
        time.sleep(chance.uniform(0.005, 0.1))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        with os.fdopen(ours, "rb") as pipe:
            acknowledged |= {line.decode().strip() for line in pipe if line.endswith(b"\n")}
    store = open_store(path, None, None)
    store.put(record(run_id="after"))
    assert store.flush()
    store.close()
    assert len(acknowledged) > 100
    assert acknowledged <= {row.run_id for row in runs(path)}
    assert record_of(path, max(acknowledged))["verification"] == record()["verification"]
    assert name != "runs.db" or intact(path)


FULL = """
import resource, sys, warnings
from pathlib import Path
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.tracing.opening import open_store
from tests.tracing.records import record
warnings.simplefilter("always")
made = [record(run_id=f"full {i:03}") for i in range(100)]
store = open_store(Path(sys.argv[1]), None, None)
store.put(record(run_id="before"))
assert store.flush()
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, most))
for item in made:
    store.put(item)
print(store.flush(1.5), flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
print(store.flush(20), flush=True)
"""


@KINDS
def test_a_full_disk_warns_and_the_program_continues(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["False", "True"]
    warned = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert len(warned) == 1
    assert f"traces: {path}: " in warned[0]
    assert "100 records are waiting to be written" in warned[0]
    assert {row.run_id for row in runs(path)} == {"before", *(f"full {i:03}" for i in range(100))}


@pytest.mark.slow
def test_a_locked_database_is_written_once_it_is_unlocked(tmp_path: Path, seen: Warnings) -> None:
    path = tmp_path / "runs.db"
    store = open_store(path, None, None)
    store.put(record(run_id="before"))
    assert store.flush()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.put(record(run_id="later"))
        assert not store.flush(6)
        other.execute("ROLLBACK")
        assert store.flush(20)
    assert texts(seen) == [f"traces: {path}: database is locked; 1 records are waiting to be written"]
    store.close()
    assert {row.run_id for row in runs(path)} == {"before", "later"}


@KINDS
async def test_a_run_succeeds_if_nothing_can_be_recorded(tmp_path: Path, name: str, seen: Warnings) -> None:
    from egrm_graph import Settings, build_graph

    (tmp_path / "file").touch()
    store = open_store(tmp_path / "file" / name, None, None)
    settings = Settings(task="arithmetic", trace_level="full")
    graph = build_graph(settings, client=ScriptedClient(fast=["56"] * 5), scorer=None, store=store)
    verdict = (await graph.ainvoke({"question": "17+48-9"}))["verification"]
    assert (verdict["answer"], verdict["status"]) == ("56", "ok")
    store.close()
    assert [text.endswith("1 records were not written") for text in texts(seen)] == [False, True]
