"""What a record without texts keeps of a tree of paths: where it branches, and no token."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from egrm_graph.records.privacy import redacted, summarized, without_texts
from egrm_graph.records.record import Record
from egrm_graph.steps.leaves import leaves_of
from egrm_graph.steps.tree import leaf_weights, open_branches
from egrm_graph.verification import Path
from tests import trees
from tests.strategies.token_model import TokenModel
from tests.tracing.memory_store import MemoryStore, recording_graph

TABLE = {
    "": {"ξ": 1.0},
    "ξ": {"1": 0.6, "2": 0.4},
    "ξ1": {"#": 1.0},
    "ξ1#": {"5": 0.7, "6": 0.3},
    "ξ2": {"#": 1.0},
    "ξ2#": {"7": 0.9, "8": 0.1},
}
REDUCTIONS: dict[str, Callable[[Record], Record]] = {
    "summary": summarized,
    "redacted": lambda record: redacted(record, lambda text: text.replace("ξ", "[letter]")),
    "without texts": lambda record: without_texts(record, str.__eq__),
    "summary, then redacted": lambda record: redacted(summarized(record), str),
}
reductions = pytest.mark.parametrize("reduce", REDUCTIONS.values(), ids=REDUCTIONS.keys())


def ids_of(path: Path) -> list[int]:
    branch = path.get("branch")
    assert branch is not None
    return branch["token_ids"]


def paths_of(record: Record) -> list[Path]:
    assert record["verification"] is not None
    return record["verification"]["paths"]


@reductions
def test_no_token_and_no_id_remains(reduce: Callable[[Record], Record]) -> None:
    original = trees.of_four_leaves()
    ids = {number for path in paths_of(original) for number in ids_of(path)}
    assert ids == {ord(letter) for letter in "x12#5678"}
    reduced = reduce(original)
    for path in paths_of(reduced):
        branch = path.get("branch")
        assert branch is not None
        tokens = [token for anchor in branch["anchors"] for token in (anchor["taken"], *anchor["others"])]
        assert {token["text"] for token in tokens} <= {""}
        assert ids.isdisjoint({*branch["token_ids"], *(token["id"] for token in tokens)})
    assert all("begins_with" not in call["sampling"] for call in reduced["calls"])
    assert original == trees.of_four_leaves()


@reductions
def test_weights_and_open_branches_are_the_same(reduce: Callable[[Record], Record]) -> None:
    original = trees.of_four_leaves()
    paths = paths_of(reduce(original))
    assert leaf_weights(paths) == pytest.approx([0.42, 0.36, 0.18, 0.04])
    fewer = paths_of(reduce(trees.recorded(trees.four_leaves()[:2])))
    left = open_branches(fewer)
    assert [(branch.parent, branch.anchor["at"]) for branch in left] == [(0, 3), (1, 3)]
    assert [branch.weight for branch in left] == pytest.approx([0.18, 0.04])


@reductions
def test_the_tree_keeps_its_form(reduce: Callable[[Record], Record]) -> None:
    original = leaves_of(trees.four_leaves(), 100)
    reduced = leaves_of(paths_of(reduce(trees.of_four_leaves())), 100)
    form = [(leaf.path, leaf.parent, leaf.at, leaf.rails, leaf.tried) for leaf in original]
    assert [(leaf.path, leaf.parent, leaf.at, leaf.rails, leaf.tried) for leaf in reduced] == form


def test_a_second_reduction_changes_nothing() -> None:
    once = summarized(trees.of_four_leaves())
    assert summarized(once) == once


def test_two_branches_at_one_anchor_have_different_numbers() -> None:
    anchor = trees.anchor(0, ("1", 0.4), ("2", 0.35), ("3", 0.25))
    paths = [trees.leaf(0, "1", 0.5, None, 0, anchor)]
    paths += [trees.leaf(i, text, 0.5, 0, 0) for i, text in ((1, "2"), (2, "3"))]
    reduced = paths_of(summarized(trees.recorded(paths)))
    assert [ids_of(path) for path in reduced] == [[0], [1], [2]]
    assert leaf_weights(reduced) == pytest.approx([0.4, 0.35, 0.25])


def test_a_branch_of_a_missing_path_is_reduced_as_well() -> None:
    lone = trees.leaf(0, "x1#5", 0.5, 7, 2)
    [path] = paths_of(summarized(trees.recorded([lone])))
    assert ids_of(path) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "settings",
    [{"trace_level": "summary"}, {"trace_texts": False}, {"redact": lambda text: text.replace("ξ", "[letter]")}],
    ids=", ".join,
)
async def test_a_graph_records_no_token_of_a_tree(settings: dict[str, Any]) -> None:
    store = MemoryStore()
    tree: dict[str, Any] = {"strategy": "entropy_tree", "paths": 4, "path_stopping": "all", "trace_tokens": 5}
    graph = recording_graph(TokenModel(TABLE), store, **{**tree, **settings})
    verification = (await graph.ainvoke({"question": "17+48"}))["verification"]
    assert verification["paths"][0]["text"] == "ξ1#5"
    assert verification["paths"][0]["branch"]["token_ids"][0] == ord("ξ")
    [record] = store.records
    assert leaf_weights(paths_of(record)) == pytest.approx(leaf_weights(verification["paths"]))
    text = json.dumps(record, ensure_ascii=False)
    assert "ξ" not in text
    assert str(ord("ξ")) not in [number.strip("[]{},") for number in text.split()]
