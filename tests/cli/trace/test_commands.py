"""`egrm trace show`, `diff`, `stats`, `export`, and `prune`."""

import json
import stat
import time
from pathlib import Path

import pytest

from egrm_graph.tracing.store_reading import runs
from tests.cli.trace.tracing import run, stored, trace
from tests.tracing.records import path, record, verification


@pytest.fixture
def store(tmp_path: Path) -> Path:
    other = run("bbbb", verification=verification(route="direct", correct=False), settings={}, ms=20.0)
    return stored(tmp_path / "runs.db", run("aaaa", 10), other)


def test_show_prints_a_run(store: Path) -> None:
    done = trace("show", "aa", "--store", store)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Run aaaa · ")
    for part in ("Fast answers", "Reasoning paths", "Cost", "Why", "Nodes and calls", "Settings that are not"):
        assert part in done.stdout


def test_show_prints_the_record_as_json(store: Path) -> None:
    assert json.loads(trace("show", "aa", "--store", store, "--json").stdout) == run("aaaa", 10)


def test_show_reports_an_unknown_run(store: Path) -> None:
    done = trace("show", "zz", "--store", store)
    assert (done.exit_code, "no run 'zz' in" in done.stderr) == (2, True)


def test_diff_prints_the_differences(tmp_path: Path) -> None:
    changed = {**record()["settings"], "threshold": 0.5}
    store = stored(tmp_path / "runs.db", run("aaaa"), run("bbbb", settings=changed), run("cccc", 5))
    done = trace("diff", "aaaa", "bbbb", "--store", store)
    assert done.exit_code == 1, done.output
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["aaaa", "bbbb"],
        ["setting", "threshold", "0.8", "(context)", "0.5", "(context)"],
    ]
    found = json.loads(trace("diff", "aaaa", "bbbb", "--store", store, "--json").stdout)
    assert found == [{"what": "setting threshold", "first": "0.8 (context)", "second": "0.5 (context)"}]
    same = trace("diff", "aaaa", "cccc", "--store", store)
    assert (same.exit_code, same.stdout.strip()) == (0, "The two runs are equal, except for the time.")


def test_stats_prints_a_line_per_period(store: Path) -> None:
    done = trace("stats", "--store", store, "--by", "all")
    assert done.exit_code == 0, done.output
    # Wilson's interval of one in two is [9.5, 90.5]; the 95th percentile of 20 and 131 ms is 125.
    assert " ".join(done.stdout.splitlines()[1].split()) == (
        "all 2 0 50.0 % [9.5, 90.5] 116.0 116.0 76 125 50.0 % [9.5, 90.5] 2"
    )
    [period] = json.loads(trace("stats", "--store", store, "--by", "all", "--json", "--right").stdout)
    assert (period["runs"], period["accuracy"]["value"], period["tokens"]) == (1, 1.0, {"reasoned": 116.0})


def test_export_writes_a_private_file(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    assert trace("export", "--store", store, "--output", file).exit_code == 0
    assert [json.loads(line)["run_id"] for line in file.read_text().splitlines()] == ["bbbb", "aaaa"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = trace("export", "--store", store, "--output", file, "--route", "reasoned")
    assert (again.exit_code, "--overwrite" in again.stderr) == (2, True)
    file.chmod(0o644)
    assert trace("export", "--store", store, "--output", file, "--route", "reasoned", "--overwrite").exit_code == 0
    assert json.loads(file.read_text()) == run("aaaa", 10)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_export_creates_no_file_without_a_store(store: Path, tmp_path: Path) -> None:
    done = trace("export", "--store", store, "--wrong")
    assert json.loads(done.stdout)["run_id"] == "bbbb"
    assert trace("export", "--store", tmp_path / "no.db", "--output", tmp_path / "no.jsonl").exit_code == 2
    assert not (tmp_path / "no.jsonl").exists()


@pytest.mark.parametrize("name", ["runs.db", "runs"])
def test_prune_asks_before_it_deletes(tmp_path: Path, name: str) -> None:
    store = stored(tmp_path / name, record(run_id="old", started_at=time.time() - 200_000))
    assert trace("prune", "--store", store, "--older-than", "30d").stderr.startswith("Deleted 0 runs")
    size = "0.001" if name == "runs" else "0"
    refused = trace("prune", "--store", store, "--keep-mb", size)
    assert (refused.exit_code, "Delete 1 runs (0.0 MB)" in refused.stderr) == (1, True)
    assert len(list(runs(store))) == 1
    assert trace("prune", "--store", store, "--keep-mb", size, "--yes").exit_code == 0
    assert list(runs(store)) == []


def test_prune_needs_a_limit(store: Path) -> None:
    assert "--older-than 30d, or --keep-mb 100" in trace("prune", "--store", store).stderr
    assert "'soon': give a date" in trace("prune", "--store", store, "--older-than", "soon").stderr


@pytest.mark.slow
def test_megabytes_of_hostile_text_are_inert(tmp_path: Path) -> None:
    hostile = "[red]\x1b]0;t\x07\u202e\x00\x9b\ud800\n" + "x" * 10_000_000
    verdict = verification(answer=hostile, paths=[path(hostile, 0.2, 0, text=hostile)])
    store = stored(tmp_path / "runs.db", run("aaaa", 10), run("bbbb", verification=verdict, error=hostile))
    for arguments in ("list", "show bbbb", "diff aaaa bbbb", "stats", "export", "show bbbb --json"):
        done = trace(*arguments.split(), "--store", store)
        assert done.exit_code in (0, 1), done.output
        assert all(line.isprintable() for line in done.stdout.splitlines())
    assert "\\ud800" in done.stdout
