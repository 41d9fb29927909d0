"""Stores of an earlier version are listed, shown, and replayed with the same results.

`data/` has the same runs as an SQLite file and as JSON lines: sums by the bundled model, and candidates judged by the
bundled and by scripted judges, one task each. `expected.json` has what the version that recorded them listed and
decided, under the recorded settings and under others.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.records.record import Record
from egrm_graph.replay.decide_again import decide_again
from egrm_graph.tracing.store_reading import records, runs
from tests.cli.trace.tracing import trace

DATA = Path(__file__).parent / "data"
EXPECTED = json.loads((DATA / "expected.json").read_text("utf-8"))


@pytest.fixture(params=["runs.db", "lines"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy that the owner can only read."""
    copy = tmp_path / str(request.param)
    if copy.suffix:
        shutil.copy(DATA / copy.name, copy)
        copy.chmod(0o400)
    else:
        shutil.copytree(DATA / copy.name, copy)
    return copy


def decision(record: Record, changes: dict[str, Any]) -> dict[str, Any]:
    found = asdict(decide_again(record, changes))
    return {**found, "undecided": found["undecided"] is not None}


def test_an_old_store_lists_the_same_runs(store: Path) -> None:
    names = EXPECTED["summaries"][0]
    assert [{name: getattr(run, name) for name in names} for run in runs(store)] == EXPECTED["summaries"]


def test_runs_of_an_old_store_are_decided_as_then(store: Path) -> None:
    by_id = {record["run_id"]: record for record in records(store)}
    found = [{**case, "decision": decision(by_id[case["run"]], case["changes"])} for case in EXPECTED["decisions"]]
    assert found == EXPECTED["decisions"]


def test_replaying_an_old_store_changes_nothing(store: Path) -> None:
    done = trace("replay", "--store", store, "--json")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len({case["run"] for case in EXPECTED["decisions"]})
    assert [line["after"] for line in lines] == [line["before"] for line in lines]


def test_the_runs_of_an_old_store_are_shown_and_opened(store: Path, tmp_path: Path) -> None:
    for run in EXPECTED["summaries"]:
        done = trace("show", "--store", store, run["run_id"])
        assert done.exit_code == 0, done.output
        assert run["run_id"] in done.stdout
    page = tmp_path / "page.html"
    done = trace("open", "--store", store, "--no-browser", "--output", page)
    assert done.exit_code == 0, done.output
    assert all(run["run_id"] in page.read_text("utf-8") for run in EXPECTED["summaries"])
