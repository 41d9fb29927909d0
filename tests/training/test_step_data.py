"""Every format of paths with labeled steps, read as rollouts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.errors import InputError
from egrm_graph.training.rollout_file import Rollout
from egrm_graph.training.step_data import read_step_rollouts

SUPERVISED = {"prompt": "1+1?", "completions": ["one and one", "makes 3"], "labels": [True, False]}
BENCH = {"id": "gsm8k-0", "problem": "1+1?", "steps": ["a", "b", "c"], "label": 1, "final_answer_correct": False}


def read(folder: Path, *rows: Any) -> list[Rollout]:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_step_rollouts(file)


def steps(rollout: Rollout) -> list[tuple[str, bool, list[tuple[str, float]]]]:
    """Each path with its mark, and its text up to each labeled step."""
    return [
        (path.text, path.correct, [(path.text[: step.end], step.value) for step in path.steps])
        for path in rollout.paths
    ]


def completion(text: str, rating: int | None) -> dict[str, Any]:
    return {"text": text, "rating": rating}


def rated(*steps: dict[str, Any], finish: str = "solution") -> dict[str, Any]:
    return {"question": {"problem": "1+1?"}, "label": {"steps": list(steps), "finish_reason": finish}}


def test_stepwise_supervision_has_a_line_for_each_completion(tmp_path: Path) -> None:
    (found,) = read(tmp_path, SUPERVISED)
    assert found.question == "1+1?"
    assert steps(found) == [("one and one\nmakes 3", False, [("one and one\n", 1.0), ("one and one\nmakes 3", 0.0)])]


def test_a_completion_that_ends_in_white_space_gets_no_line_end(tmp_path: Path) -> None:
    (found,) = read(tmp_path, {"prompt": "1+1?", "completions": ["a\n\n", "b"], "labels": [0.25, True]})
    assert steps(found) == [("a\n\nb", False, [("a\n\n", 0.25), ("a\n\nb", 1.0)])]


def test_steps_of_process_bench_are_labeled_up_to_the_first_error(tmp_path: Path) -> None:
    (found,) = read(tmp_path, BENCH)
    assert steps(found) == [("a\n\nb\n\nc", False, [("a\n\n", 1.0), ("a\n\nb\n\n", 0.0)])]


def test_all_steps_of_a_correct_solution_of_process_bench_are_right(tmp_path: Path) -> None:
    (found,) = read(tmp_path, {**BENCH, "label": -1, "final_answer_correct": True})
    assert steps(found) == [("a\n\nb\n\nc", True, [("a\n\n", 1.0), ("a\n\nb\n\n", 1.0), ("a\n\nb\n\nc", 1.0)])]


def test_rows_with_the_same_question_are_one_question(tmp_path: Path) -> None:
    found = read(tmp_path, BENCH, {**BENCH, "id": "gsm8k-1", "label": -1}, {**BENCH, "problem": "2+2?"})
    assert [(rollout.question, len(rollout.paths)) for rollout in found] == [("1+1?", 2), ("2+2?", 1)]


def test_a_problem_of_prm800k_is_the_chosen_path_and_its_alternatives(tmp_path: Path) -> None:
    first = {"completions": [completion("one", 1), completion("two", -1)], "chosen_completion": 0}
    human = {
        "completions": [completion("bad", -1)],
        "chosen_completion": None,
        "human_completion": completion("mine", None),
    }
    last = {"completions": [completion("so\n\n# Answer\n\n2", 0)], "chosen_completion": 0}
    (found,) = read(tmp_path, rated(first, human, last))
    full = "one\nmine\nso\n\n# Answer\n\n2"
    assert steps(found) == [
        (full, True, [("one\n", 1.0), (full, 1.0)]),  # a neutral step counts as right, and one of a person has no label
        ("two\n", False, [("two\n", 0.0)]),
        ("one\nbad\n", False, [("one\nbad\n", 0.0)]),
    ]


def test_a_path_of_prm800k_ends_where_the_labeler_gave_up(tmp_path: Path) -> None:
    first = {"completions": [completion("one", 1)], "chosen_completion": 0}
    stuck = {"completions": [completion("bad", -1)], "chosen_completion": None, "human_completion": None}
    (found,) = read(tmp_path, rated(first, stuck, finish="give_up"))
    assert steps(found) == [("one\n", False, [("one\n", 1.0)]), ("one\nbad\n", False, [("one\nbad\n", 0.0)])]


def test_gzipped_lines_and_parquet_are_read_like_json_lines(tmp_path: Path) -> None:
    plain = read(tmp_path, SUPERVISED)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(json.dumps(SUPERVISED).encode()))
    assert read_step_rollouts(tmp_path / "rows.jsonl.gz") == plain
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist([SUPERVISED]), tmp_path / "rows.parquet")
    assert read_step_rollouts(tmp_path / "rows.parquet") == plain


def test_own_rollouts_keep_their_steps(tmp_path: Path) -> None:
    path = {"text": "a;b", "answer": "b", "correct": True, "steps": [{"end": 2, "value": 0.5, "share": 0.25}]}
    (found,) = read(tmp_path, {"id": 7, "question": "1+1?", "reference": "b", "paths": [path]})
    assert (found.id, found.paths[0].steps[0].share) == (7, 0.25)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**SUPERVISED, "labels": [True]}, "line 1: it has 2 completions and 1 labels; give each completion one"),
        ({**SUPERVISED, "labels": [True, "no"]}, "the label 'no' is neither true, false, nor a number"),
        ({**SUPERVISED, "completions": ["a", " "]}, r"completions\[1\]=' ' is empty or not a text"),
        ({**SUPERVISED, "completions": []}, r"completions='\[\]' is not a list with anything in it"),
        ({**SUPERVISED, "prompt": None}, "prompt='None' is neither a text nor chat messages"),
        ({**BENCH, "label": 3}, "label=3 is not the index of one of the 3 steps; use -1 if none is wrong"),
        ({**BENCH, "label": True}, "label=True is not the index"),
        (rated({"completions": [completion("a", 2)], "chosen_completion": 0}), "step 0 has rating=2"),
        (
            {"prompt": "1+1?", "chosen": "2", "rejected": "3"},
            "a row needs 'paths' with 'steps' .* this one has 'prompt'",
        ),
        ({"id": 1, "question": "q", "paths": [{"text": "a", "correct": True}]}, "has no labeled step; use rows with"),
        (
            {"id": 1, "question": "q", "paths": [{"text": "a", "correct": True, "steps": [{"end": 2, "value": 1}]}]},
            r"line 1: .*its steps end at \[2\], which are not rising places in its 1 characters",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, row)


def test_a_broken_gzip_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl.gz").write_text("{}")
    with pytest.raises(InputError, match=r"rows\.jsonl\.gz cannot be read"):
        read_step_rollouts(tmp_path / "rows.jsonl.gz")
