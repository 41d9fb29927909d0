"""`egrm trace replay`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.trace.tracing import run, stored, trace
from tests.tracing.records import verification


@pytest.fixture
def store(tmp_path: Path) -> Path:
    direct = verification(route="direct", paths=[], best_path=None)
    failed: Any = run("cccc0000cccc", 5, ending="failed", verification=None, error="no server", asked=None)
    direct["uncertainty"]["threshold"] = 0.5
    settings = {"threshold": 0.5}
    return stored(
        tmp_path / "runs.db",
        run("aaaa0000aaaa", 10),
        run("bbbb0000bbbb", verification=direct, settings=settings),
        failed,
    )


def test_without_changes_all_runs_are_decided_as_recorded(store: Path) -> None:
    done = trace("replay", "--store", store)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "2 runs decided again without a model call; 0 changed",
        "reasoned: 1 before, 1 now",
        "right, of 2 decided runs with a reference: 2 before, 2 now",
        "1 runs have no verdict and were skipped",
    ]


def test_another_threshold_changes_runs(store: Path) -> None:
    done = trace("replay", "--store", store, "--threshold", "0.9")
    assert done.stdout.splitlines()[:2] == [
        "2 runs decided again without a model call; 1 changed, 1 are undecided",
        "reasoned: 1 before, 2 now",
    ]
    assert "bbbb0000 direct 42 reasoned undecided 17+25" in " ".join(done.stdout.split())


def test_one_run_is_decided_by_another_measure(store: Path) -> None:
    done = trace("replay", "aaaa", "--store", store, "--measure", "vote_entropy", "--threshold", "0.9")
    cells = {line.strip().split("  ")[0]: line.split()[-1] for line in done.stdout.splitlines()[1:]}
    assert (cells["threshold"], cells["route"], cells["answer"], cells["best path"]) == ("0.9", "direct", "42", "-")


def test_json_has_a_line_per_run(store: Path) -> None:
    done = trace("replay", "--store", store, "--threshold", "0.5", "--route", "reasoned", "--json")
    (line,) = (json.loads(text) for text in done.stdout.splitlines())
    assert (line["run_id"], line["before"]["route"], line["after"]["route"]) == ("aaaa0000aaaa", "reasoned", "direct")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cccc"], "has no verdict (failed)"),
        (["--measure", "consenus"], "unknown measure 'consenus'"),
        (["--measure", "token_entropy"], "threshold"),
    ],
)
def test_impossible_replays_are_errors(store: Path, arguments: list[str], message: str) -> None:
    done = trace("replay", "--store", store, *arguments)
    assert (done.exit_code, message in " ".join(done.stderr.split())) == (2, True), done.stderr
