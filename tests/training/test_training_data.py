"""Every format of training data for a scorer, read as rollouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.errors import InputError
from egrm_graph.training.rollout_file import Rollout
from egrm_graph.training.training_data import read_rollouts

QUESTION = {"role": "user", "content": "1+1?"}


def reply(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def read(folder: Path, *rows: Any) -> list[Rollout]:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_rollouts(file)


def content(rollout: Rollout) -> tuple[str, list[tuple[str, float]]]:
    return rollout.question, [(path.text, path.target) for path in rollout.paths]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "1+1?", "chosen": "2", "rejected": "3"},
        {"prompt": [QUESTION], "chosen": [reply("2")], "rejected": [reply("3")]},
        {"chosen": [QUESTION, reply("2")], "rejected": [QUESTION, reply("3")]},
        {"prompt": "1+1?", "chosen": ["2"], "rejected": ["3"], "subset": "maths", "num_correct": 1},
    ],
)
def test_a_pair_is_a_question_with_a_right_and_a_wrong_path(tmp_path: Path, row: dict[str, Any]) -> None:
    (found,) = read(tmp_path, row)
    assert content(found) == ("1+1?", [("2", 1.0), ("3", 0.0)])
    assert found.reference is None


def test_several_chosen_and_rejected_texts_are_all_paths(tmp_path: Path) -> None:
    (found,) = read(tmp_path, {"prompt": "1+1?", "chosen": ["2", "two"], "rejected": ["3", "4", "5"]})
    assert [path.correct for path in found.paths] == [True, True, False, False, False]


def test_a_conversation_keeps_its_roles(tmp_path: Path) -> None:
    prompt = [QUESTION, reply("2"), {"role": "user", "content": "And 2+2?"}]
    (found,) = read(tmp_path, {"prompt": prompt, "chosen": "4", "rejected": "5"})
    assert found.question == "user: 1+1?\n\nassistant: 2\n\nuser: And 2+2?"


def test_graded_responses_to_one_prompt_are_one_question(tmp_path: Path) -> None:
    rows = [("1+1?", "2", 1), ("2+2?", "4", 0.9), ("1+1?", "about 2", 0.25)]
    found = read(tmp_path, *({"prompt": p, "response": r, "score": s} for p, r, s in rows))
    assert [content(rollout) for rollout in found] == [
        ("1+1?", [("2", 1.0), ("about 2", 0.25)]),
        ("2+2?", [("4", 0.9)]),
    ]


def test_parquet_is_read_like_json_lines(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    rows = [{"prompt": "1+1?", "chosen": "2", "rejected": "3"}, {"prompt": "2+2?", "chosen": "4", "rejected": "5"}]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert read_rollouts(tmp_path / "rows.parquet") == read(tmp_path, *rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "1+1?", "chosen": "2"}, "line 1: rejected=None is empty"),
        ({"prompt": "1+1?", "chosen": "", "rejected": "3"}, "chosen='' is empty"),
        ({"prompt": "1+1?", "chosen": 2, "rejected": "3"}, "chosen='2' is neither a text"),
        ({"chosen": "2", "rejected": "3"}, "the prompt is missing"),
        ({"prompt": 5, "chosen": "2", "rejected": "3"}, "prompt='5' is neither"),
        ({"prompt": "1+1?", "response": "2", "score": 7}, r"score=7 is not a number in \[0, 1\]"),
        ({"prompt": "1+1?", "response": "2", "score": None}, "score=None is not a number"),
        ({"text": "hello"}, "a row needs 'paths' .* this one has 'text'"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, row)


def test_a_file_that_is_not_parquet_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "rows.parquet").write_text("{}")
    with pytest.raises(InputError, match=r"rows\.parquet cannot be read"):
        read_rollouts(tmp_path / "rows.parquet")
