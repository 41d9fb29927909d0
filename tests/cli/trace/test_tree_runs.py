"""`egrm trace` on runs with trees of paths."""

import json
from pathlib import Path

import pytest

from egrm_graph.records.privacy import summarized
from egrm_graph.tracing.opening import open_store
from tests import trees
from tests.cli.trace.tracing import trace
from tests.records.test_record_schema import errors_of


@pytest.fixture(params=["runs.db", "lines"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    opened = open_store(path, None, None)
    opened.put(trees.of_four_leaves(run_id="full", started_at=2e9))
    opened.put({**summarized(trees.of_four_leaves()), "run_id": "summary", "started_at": 1e9})
    opened.close()
    return path


def test_every_command_takes_a_tree(store: Path, tmp_path: Path) -> None:
    printed = trace("show", "full", "--store", store)
    assert printed.exit_code == 0, printed.output
    assert "├ path 2 from 1, token 2 · answer 7 · score 0.200 · weight 0.360" in printed.output
    assert "weight 0.360" in trace("show", "summary", "--store", store).output
    for command in ("list", "stats", "export"):
        done = trace(command, "--store", store)
        assert done.exit_code == 0, done.output
    differ = trace("diff", "full", "summary", "--store", store, "--json")
    assert {"path 1, text", "level"} <= {each["what"] for each in json.loads(differ.stdout)}
    page = tmp_path / "page.html"
    assert trace("open", "--store", store, "--no-browser", "--output", page).exit_code == 0
    assert page.read_text("utf-8").count('"rails":[true,false]') == 2


def test_what_is_exported_and_left_after_pruning_is_valid(store: Path) -> None:
    for line in trace("export", "--store", store).stdout.splitlines():
        assert errors_of(json.loads(line)) == []
    pruned = trace("prune", "--older-than", "7d", "--yes", "--store", store)
    assert pruned.exit_code == 0, pruned.output
    left = [json.loads(line) for line in trace("export", "--store", store).stdout.splitlines()]
    # A file of JSON lines is deleted when its last run is too old.
    assert [each["run_id"] for each in left] == (["full"] if store.suffix else ["full", "summary"])
    assert [errors_of(each) for each in left] == [[] for _ in left]
