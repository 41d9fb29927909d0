"""The leaves of trees for display."""

from typing import Any

import pytest

from egrm_graph.steps.leaves import LeafPiece, leaves_of
from egrm_graph.verification import PathStep
from tests import trees
from tests.tracing.records import path


def pieces(paths: Any, most: int = 100) -> list[list[tuple[str, int | None]]]:
    return [[(piece.text, piece.anchor) for piece in leaf.pieces] for leaf in leaves_of(paths, most)]


def test_leaves_come_in_the_order_of_the_tree() -> None:
    leaves = leaves_of(trees.four_leaves(), 100)
    assert [(leaf.path, leaf.parent, leaf.at) for leaf in leaves] == [(0, None, 0), (1, 0, 1), (3, 1, 3), (2, 0, 3)]
    assert [leaf.rails for leaf in leaves] == [(), (True,), (True, False), (False,)]
    assert [leaf.weight for leaf in leaves] == pytest.approx([0.42, 0.36, 0.04, 0.18])


def test_a_leaf_has_only_the_text_after_its_branch_with_its_anchors() -> None:
    assert pieces(trees.four_leaves()) == [
        [("x", None), ("1", 0), ("#", None), ("5", 1)],
        [("2#", None), ("7", 0)],
        [("8", None)],
        [("6", None)],
    ]


def test_an_anchor_says_which_path_tried_each_other_token() -> None:
    assert [leaf.tried for leaf in leaves_of(trees.four_leaves()[:3], 100)] == [[[1], [2]], [[None]], []]


def test_a_step_ends_after_its_piece() -> None:
    paths = trees.four_leaves()
    paths[1]["steps"] = [PathStep(end=1, score=0.9), PathStep(end=2, score=0.7), PathStep(end=4, score=0.2)]
    assert leaves_of(paths, 100)[1].pieces == [LeafPiece("2", step=0.7), LeafPiece("#"), LeafPiece("7", 0, 0.2)]
    paths[1]["thinking"] = "mm"  # two characters and a blank line come before the text
    paths[1]["steps"] = [PathStep(end=6, score=0.7), PathStep(end=8, score=0.2)]
    assert leaves_of(paths, 100)[1].pieces == [LeafPiece("2", step=0.7), LeafPiece("#"), LeafPiece("7", 0, 0.2)]


def test_a_long_text_is_cut() -> None:
    leaves = leaves_of(trees.four_leaves(), 2)
    assert pieces(trees.four_leaves(), 2)[0] == [("x", None), ("1", 0)]
    assert [leaf.hidden for leaf in leaves] == [2, 1, 0, 0]


def test_without_texts_the_anchors_remain() -> None:
    paths: Any = [{**each, "text": None} for each in trees.four_leaves()]
    assert pieces(paths) == [[("", 0), ("", 1)], [("", 0)], [], []]


def test_anchors_of_a_redacted_text_have_no_place_and_branches_start_where_the_texts_differ() -> None:
    paths: Any = trees.four_leaves()
    for each in paths:
        each["text"] = each["text"].replace("x", "[letter]")
    assert pieces(paths)[0] == [("[letter]1#5", None), ("", 0), ("", 1)]
    assert pieces(paths)[1] == [("2#7", None), ("", 0)]


def test_paths_of_no_tree_have_no_leaves() -> None:
    old: Any = path("42", 0.9, 0)
    paths: Any = [old, {**old, "branch": None}]
    assert leaves_of(paths, 100) == []


@pytest.mark.parametrize("parent", [1, 3, -1, 99])
def test_a_damaged_tree_is_shown_without_weights(parent: int) -> None:
    paths: Any = trees.four_leaves()
    paths[1]["branch"]["parent"] = parent
    leaves = leaves_of(paths, 100)
    assert [leaf.path for leaf in leaves] == [0, 2]
    assert [leaf.weight for leaf in leaves] == [None, None]


def test_a_chain_of_256_paths_has_all_of_its_leaves() -> None:
    verification = trees.large(256, 20, 10)["verification"]
    assert verification is not None
    leaves = leaves_of(verification["paths"], 100)
    assert [leaf.path for leaf in leaves] == list(range(256))
    assert len(leaves[-1].rails) == 255
