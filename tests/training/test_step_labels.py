"""StepLabels of the fragments of a tree, on tables of next letters that can be worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

from egrm_graph.parts import assemble
from egrm_graph.settings import Settings
from egrm_graph.training.roll_out import RolloutRow, roll_out
from egrm_graph.training.rollout_file import Rollout
from egrm_graph.training.step_labels import StepRow, step_row, tree_steps
from tests.strategies.test_entropy_tree import grow
from tests.strategies.token_model import TokenModel

TABLE = {
    "": {"x": 1.0},
    "x": {"1": 0.6, "2": 0.4},
    "x1": {"#": 1.0},
    "x1#": {"5": 0.7, "6": 0.3},
    "x2": {"#": 1.0},
    "x2#": {"7": 0.9, "8": 0.1},
}
"""Its leaves are x1#5 (0.42), x2#7 (0.36), x1#6 (0.18), and x2#8 (0.04)."""


async def grown(model: TokenModel, reference: str, **settings: Any) -> RolloutRow:
    settings = {"task": "arithmetic", "strategy": "entropy_tree", "paths": 8} | settings
    parts = assemble(Settings(**settings), client=model, scorer=None)
    return await roll_out(parts, {"question": "17+48", "reference": reference})


def labels(row: RolloutRow) -> dict[str, list[tuple[str, float, float, bool, int]]]:
    """For each path, the text up to each step's end, with the step's value, share, any, and leaves."""
    return {
        path["text"]: [
            (path["text"][: step["end"]], step["value"], step["share"], step["any"], step["leaves"])
            for step in path.get("steps", ())
        ]
        for path in row["paths"]
    }


async def test_each_fragment_is_labeled_by_its_leaves_on_the_first_path_that_has_it() -> None:
    row = await grown(TokenModel(TABLE), "7")
    assert labels(row) == {
        "x1#5": [("x", 0.36, 0.25, True, 4), ("x1#", 0.0, 0.0, False, 2), ("x1#5", 0.0, 0.0, False, 1)],
        "x2#7": [("x2#", 0.9, 0.5, True, 2), ("x2#7", 1.0, 1.0, True, 1)],
        "x1#6": [("x1#6", 0.0, 0.0, False, 1)],
        "x2#8": [("x2#8", 0.0, 0.0, False, 1)],
    }


async def test_an_unlikely_right_leaf_has_a_low_value_and_the_same_share() -> None:
    likely, unlikely = labels(await grown(TokenModel(TABLE), "5")), labels(await grown(TokenModel(TABLE), "8"))
    assert likely["x1#5"][0] == ("x", 0.42, 0.25, True, 4)
    assert unlikely["x1#5"][0] == ("x", 0.04, 0.25, True, 4)
    assert unlikely["x2#7"] == [("x2#", 0.1, 0.5, True, 2), ("x2#7", 0.0, 0.0, False, 1)]


async def test_several_leaves_of_one_answer_add_up() -> None:
    table = {**TABLE, "x2#": {"5": 0.9, "8": 0.1}}
    row = await grown(TokenModel(table), "5")
    assert labels(row)["x1#5"] == [
        ("x", 0.78, 0.5, True, 4),
        ("x1#", 0.7, 0.5, True, 2),
        ("x1#5", 1.0, 1.0, True, 1),
    ]


async def test_a_path_is_not_cut_at_an_anchor_that_was_not_tried() -> None:
    row = await grown(TokenModel(TABLE), "7", paths=2)
    assert labels(row) == {
        "x1#5": [("x", 0.4, 0.5, True, 2), ("x1#5", 0.0, 0.0, False, 1)],
        "x2#7": [("x2#7", 1.0, 1.0, True, 1)],
    }


async def test_a_lost_leaf_counts_for_nothing() -> None:
    row = await grown(TokenModel(TABLE, fails=["x2#8"]), "7")
    # Of 0.42 + 0.36 + 0.18, without the 0.04 of the lost one. Nothing is known after x2# but x2#7.
    assert labels(row) == {
        "x1#5": [("x", 0.375, 0.333333, True, 3), ("x1#", 0.0, 0.0, False, 2), ("x1#5", 0.0, 0.0, False, 1)],
        "x2#7": [("x2#7", 1.0, 1.0, True, 1)],
        "x1#6": [("x1#6", 0.0, 0.0, False, 1)],
    }
    assert (row["lost"], row["reasons"]) == (1, ["1 of 4 paths lost: no text begins with 'x2#8'"])


async def test_a_leaf_that_was_cut_is_wrong() -> None:
    table = {"": {"x": 1.0}, "x": {"#": 0.6, "a": 0.4}, "x#": {"5": 1.0}, "xa": {"a": 1.0}, "xaa": {"a": 1.0}}
    row = await grown(TokenModel(table), "5", path_max_tokens=4)
    assert labels(row) == {
        "x#5": [("x", 0.6, 0.5, True, 2), ("x#5", 1.0, 1.0, True, 1)],
        "xaaa": [("xaaa", 0.0, 0.0, False, 1)],
    }
    assert [path["answer"] for path in row["paths"]] == ["5", None]


async def test_a_leaf_with_the_text_of_another_is_neither_a_path_nor_lost() -> None:
    class TwoSpellings(TokenModel):
        """Token `2` is written like token `1`."""

        def _continued(self, text: str, sampling: Any) -> Any:
            found = super()._continued(text, sampling)
            return type(found)(**{**vars(found), "text": found.text.replace("2", "1")})

    model = TwoSpellings({**TABLE, "x1#": {"5": 1.0}, "x2#": {"5": 1.0}})
    row = await grown(model, "5")
    assert labels(row) == {"x1#5": [("x1#5", 1.0, 1.0, True, 1)]}
    assert (row["lost"], row.get("requests")) == (0, 2)
    paths = (await grow(model, paths=8))["paths"]
    assert [path["text"] for path in paths] == ["x1#5", "x1#5"]
    assert tree_steps(paths, [True, False]) == [[StepRow(end=4, value=1.0, share=1.0, any=True, leaves=1)], []]


async def test_a_fragment_without_text_is_not_labeled() -> None:
    row = await grown(TokenModel({"": {"1": 0.6, "2": 0.4}, "1": {"#": 1.0}, "1#": {"5": 1.0}}), "5")
    assert labels(row) == {"1#5": [("1#5", 1.0, 1.0, True, 1)], "2": [("2", 0.0, 0.0, False, 1)]}


async def test_several_branches_at_one_anchor_are_leaves_of_the_same_fragment() -> None:
    table = {"": {"#": 1.0}, "#": {"1": 0.5, "2": 0.3, "3": 0.2}}
    row = await grown(TokenModel(table), "3", anchor_alternatives=2)
    assert labels(row)["#1"] == [("#", 0.2, 0.333333, True, 3), ("#1", 0.0, 0.0, False, 1)]


async def test_a_tree_without_anchors_is_one_fragment() -> None:
    row = await grown(TokenModel(TABLE), "5", anchor_entropy=1.0)
    assert labels(row) == {"x1#5": [("x1#5", 1.0, 1.0, True, 1)]}


async def test_a_row_has_its_cost_and_shared_tokens_count_once() -> None:
    row = await grown(TokenModel(TABLE), "7")
    # Five for the first path with its end, and for each branch what comes after its first token.
    assert (row.get("requests"), row.get("completion_tokens")) == (4, 5 + 3 + 1 + 1)
    assert [path["n_tokens"] for path in row["paths"]] == [5, 5, 5, 5]


async def test_a_row_of_a_tree_is_a_rollout() -> None:
    rollout = Rollout.model_validate({"id": 1, **await grown(TokenModel(TABLE), "7")})
    assert (rollout.requests, rollout.completion_tokens) == (4, 10)
    assert [step.leaves for step in rollout.paths[0].steps] == [4, 2, 1]


@pytest.mark.parametrize(
    ("right", "weights", "expected"),
    [
        ([True, False], None, StepRow(end=3, value=0.5, share=0.5, any=True, leaves=2)),
        ([True, False], [0.3, 0.1], StepRow(end=3, value=0.75, share=0.5, any=True, leaves=2)),
        ([False, False], [0.3, 0.1], StepRow(end=3, value=0.0, share=0.0, any=False, leaves=2)),
        ([True, True, False], [0.0, 0.0, 0.0], StepRow(end=3, value=0.666667, share=0.666667, any=True, leaves=3)),
    ],
)
def test_a_step_is_labeled_by_its_leaves(right: list[bool], weights: list[float] | None, expected: StepRow) -> None:
    assert step_row(3, right, weights) == expected
