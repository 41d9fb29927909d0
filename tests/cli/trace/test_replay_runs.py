"""`egrm trace replay`, as a user runs it."""

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


def test_as_recorded_nothing_changes(store: Path) -> None:
    done = trace("replay", "--store", store)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "2 runs decided again, with no model call; 0 come out otherwise",
        "reasoned: 1 before, 1 now",
        "right, of 2 decided runs with a reference: 2 before, 2 now",
        "1 runs came to no verdict, and were passed over",
    ]


def test_another_threshold(store: Path) -> None:
    done = trace("replay", "--store", store, "--threshold", "0.9")
    assert done.stdout.splitlines()[:2] == [
        "2 runs decided again, with no model call; 1 come out otherwise, 1 are undecided",
        "reasoned: 1 before, 2 now",
    ]
    assert "bbbb0000 direct 42 reasoned undecided 17+25" in " ".join(done.stdout.split())


def test_one_run_by_another_measure(store: Path) -> None:
    done = trace("replay", "aaaa", "--store", store, "--measure", "vote_entropy", "--threshold", "0.9")
    told = {line.strip().split("  ")[0]: line.split()[-1] for line in done.stdout.splitlines()[1:]}
    assert (told["threshold"], told["route"], told["answer"], told["best path"]) == ("0.9", "direct", "42", "-")


def test_json(store: Path) -> None:
    done = trace("replay", "--store", store, "--threshold", "0.5", "--route", "reasoned", "--json")
    (told,) = (json.loads(line) for line in done.stdout.splitlines())
    assert (told["run_id"], told["before"]["route"], told["after"]["route"]) == ("aaaa0000aaaa", "reasoned", "direct")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["cccc"], "came to no verdict (failed)"),
        (["--measure", "consenus"], "there is no measure 'consenus'"),
        (["--measure", "token_entropy"], "threshold"),
    ],
)
def test_what_cannot_be_done_is_told(store: Path, given: list[str], told: str) -> None:
    done = trace("replay", "--store", store, *given)
    assert (done.exit_code, told in " ".join(done.stderr.split())) == (2, True), done.stderr
