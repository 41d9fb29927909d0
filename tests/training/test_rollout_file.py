"""Files of rollouts: reading, errors by line, and the split by question."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.errors import InputError
from egrm_graph.training.parquet import to_parquet
from egrm_graph.training.rollout_file import Rollout, RolloutPath, RolloutStep, split, write_rollouts
from egrm_graph.training.training_data import read_rollouts

LINE = (
    '{"id": "7", "question": "1+1", "reference": "2", "level": 1, '
    '"paths": [{"text": "#2", "answer": "2", "correct": true, "n_tokens": 3}]}'
)


def rollout(name: str) -> Rollout:
    path = RolloutPath(text="#2", answer="2", correct=True)
    return Rollout(id=name, question=f"question {name}", reference="2", paths=(path,))


async def test_line_is_read(tmp_path: Path) -> None:
    (tmp_path / "rollouts.jsonl").write_text(f"{LINE}\n\n")
    path = RolloutPath(text="#2", answer="2", correct=True, n_tokens=3)
    assert read_rollouts(tmp_path / "rollouts.jsonl") == [
        Rollout(id="7", question="1+1", reference="2", level=1, paths=(path,))
    ]


async def test_written_rollouts_are_read_back(tmp_path: Path) -> None:
    path = RolloutPath(text="a\u2028b\nc\r{x}", answer=None, correct=False)  # line ends of all kinds
    written = [rollout("é"), Rollout(id="2", question="q\x85", reference="r", paths=(path,))]
    write_rollouts(tmp_path / "new" / "rollouts.jsonl", written)
    assert read_rollouts(tmp_path / "new" / "rollouts.jsonl") == written


async def test_labels_and_costs_are_in_parquet_too(tmp_path: Path) -> None:
    steps = (RolloutStep(end=1, value=0.25, share=0.5, any=True, leaves=2), RolloutStep(end=2, value=1.0))
    labeled = RolloutPath(text="#2", answer="2", correct=True, steps=steps)
    written = [
        Rollout(id=1, question="1+1", reference="2", paths=(labeled,), requests=3, completion_tokens=40),
        Rollout(id=2, question="1+1", reference="2", paths=(RolloutPath(text="#3", answer="3", correct=False),)),
    ]
    write_rollouts(tmp_path / "rollouts.jsonl", written)
    to_parquet(tmp_path / "rollouts.jsonl", tmp_path / "rollouts.parquet")
    assert read_rollouts(tmp_path / "rollouts.parquet") == written


async def test_lines_without_steps_and_costs_become_parquet(tmp_path: Path) -> None:
    (tmp_path / "rollouts.jsonl").write_text(f"{LINE}\n")
    to_parquet(tmp_path / "rollouts.jsonl", tmp_path / "rollouts.parquet")
    assert read_rollouts(tmp_path / "rollouts.parquet") == read_rollouts(tmp_path / "rollouts.jsonl")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("[]", "line 2 is not a JSON object"),
        ('{"id": "8"}', "line 2: a row needs 'paths'"),
        (LINE.replace('"7"', '"8"').replace("true", '"perhaps"'), r"line 2: paths.0.correct='perhaps'"),
        (LINE.replace('"7"', '"8"').replace("level", "levle"), "line 2: levle"),
        ('{"id": "8", "question": "1+1", "reference": "2", "paths": []}', "line 2: .*it has no paths"),
        (LINE, "line 2: the id '7' was used before"),
    ],
)
async def test_broken_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "rollouts.jsonl").write_text(f"{LINE}\n{line}\n")
    with pytest.raises(InputError, match=message):
        read_rollouts(tmp_path / "rollouts.jsonl")


async def test_a_line_that_could_not_be_asked_is_not_a_rollout(tmp_path: Path) -> None:
    failed = '{"id": "8", "line": 2, "error": "the line is not JSON"}'
    lost = LINE.replace('"7"', "9").replace('"correct": true', '"correct": false').replace("}]}", '}], "lost": 7}')
    (tmp_path / "rollouts.jsonl").write_text(f"{LINE}\n{failed}\n{lost}\n")
    assert [(rollout.id, rollout.lost) for rollout in read_rollouts(tmp_path / "rollouts.jsonl")] == [("7", 0), (9, 7)]


async def test_empty_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match="has no rollouts"):
        read_rollouts(tmp_path / "empty.jsonl")
    with pytest.raises(InputError, match=r"nowhere\.jsonl cannot be read"):
        read_rollouts(tmp_path / "nowhere.jsonl")


@given(st.sets(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1), st.floats(0.01, 0.99))
def test_the_side_of_a_question_does_not_depend_on_the_others(names: set[str], share: float) -> None:
    rollouts = [rollout(name) for name in sorted(names)]
    train, held_out = split(rollouts, share)
    assert sorted(r.id for r in [*train, *held_out]) == sorted(names)
    alone = [r for r in rollouts if split([r], share)[1]]
    assert held_out == alone


async def test_split_holds_out_about_the_share() -> None:
    _, held_out = split([rollout(str(n)) for n in range(2000)], 0.1)
    assert 150 < len(held_out) < 250
