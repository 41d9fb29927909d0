"""`egrm trace list`."""

import json
import unicodedata
from pathlib import Path

import pytest

from egrm_graph.tracing.run_summary import COLUMNS
from tests.cli.trace.tracing import run, stored, trace
from tests.tracing.records import STARTED, verification


@pytest.fixture
def store(tmp_path: Path) -> Path:
    wrong = verification(route="direct", correct=False, answer="32")
    failed = run("cccc0000cccc", 5, ending="failed", verification=None, error="no server", asked=None)
    return stored(tmp_path / "runs.db", run("aaaa0000aaaa", 10), run("bbbb0000bbbb", verification=wrong), failed)


def test_the_newest_runs_are_first(store: Path) -> None:
    done = trace("list", "--store", store)
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == [column.heading for column in COLUMNS if column.default]
    assert [line[0] for line in lines[1:]] == ["bbbb0000", "cccc0000", "aaaa0000"]
    assert lines[3][3:] == ["ok", "reasoned", "0.60", "/", "0.80", "116", "131", "42", "✓", "17+25"]
    assert lines[2][3:] == ["failed", "36", "131"]
    assert lines[1][4:] == ["direct", "0.60", "/", "0.80", "116", "131", "32", "✗", "17+25"]


def test_columns_are_chosen_by_name(store: Path) -> None:
    lines = [
        line.split()
        for line in trace("list", "--store", store, "--columns", "question,run_id,level").stdout.splitlines()
    ]
    assert lines[:2] == [["run", "level", "question"], ["bbbb0000", "full", "17+25"]]
    done = trace("list", "--store", store, "--json", "--columns", "run_id,margin", "--limit", "1")
    assert json.loads(done.stdout) == {"run_id": "bbbb0000bbbb", "margin": -0.2}


def test_an_unknown_column_is_an_error_with_the_names(store: Path) -> None:
    done = trace("list", "--store", store, "--columns", "run_id,mood")
    assert (done.exit_code, "'mood' is not a column; choose from run_id" in " ".join(done.stderr.split())) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--route", "direct"], ["bbbb"]),
        (["--wrong"], ["bbbb"]),
        (["--right"], ["aaaa"]),
        (["--ending", "failed"], ["cccc"]),
        (["--until", str(STARTED)], None),
        (["--uncertainty", "0.5..0.7", "--limit", "1"], ["bbbb"]),
        (["--min-tokens", "100", "--model", "egrm-tiny"], ["bbbb", "aaaa"]),
        (["--task", "answer"], []),
        (["--where", "ms>=131", "--where", "route=direct"], ["bbbb"]),
    ],
)
def test_filters_select_runs(store: Path, arguments: list[str], found: list[str] | None) -> None:
    done = trace("list", "--store", store, "--json", *arguments)
    if found is None:
        assert (done.exit_code, "give a date" in done.stderr) == (2, True)
    else:
        assert [json.loads(line)["run_id"][:4] for line in done.stdout.splitlines()] == found


def test_the_store_is_taken_from_the_environment(store: Path) -> None:
    assert len(trace("list", "--json", EGRM_TRACE_STORE=str(store)).stdout.splitlines()) == 3


def test_no_matching_runs_is_a_message(store: Path) -> None:
    assert "match." in " ".join(trace("list", "--store", store, "--task", "x").stdout.split())


def test_a_missing_store_is_an_error(tmp_path: Path) -> None:
    done = trace("list", "--store", tmp_path / "none.db")
    assert (done.exit_code, "runs with --trace," in done.stderr) == (2, True)


def test_hostile_text_is_inert(tmp_path: Path) -> None:
    hostile = "[red]\x1b]0;title\x07\u202e\x00\x9b31m[red]\ud800\n" + "x" * 1000
    store = stored(tmp_path / "runs.db", run(hostile, verification=verification(answer=hostile), task=hostile))
    for done in (trace("list", "--store", store), trace("list", "--store", store, "--json")):
        assert done.exit_code == 0, done.output
        kinds = {unicodedata.category(character) for character in done.stdout.replace("\n", "")}
        assert not kinds & {"Cc", "Cf", "Cs"}
    assert "[red]" in trace("list", "--store", store).stdout
