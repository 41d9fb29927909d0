"""The questions to train on are not those of the benchmark's sample."""

import json
import subprocess
import sys
from pathlib import Path

import other_questions as study
import pytest
from other_questions import other_questions

from egrm_graph.benchmark.question_sets import Choice, Levels, read_sets


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = ({"id": str(i), "question": f"{i}+1", "reference": str(i + 1), "level": 1 + i % 3} for i in range(30))
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return tmp_path / "sums.jsonl"


@pytest.mark.parametrize(("sample", "seed", "n"), [(10, 0, 20), (10, 1, 5), (29, 3, 1)])
def test_the_sample_is_left_out(file: Path, sample: int, seed: int, n: int) -> None:
    tested = {question.id for question in read_sets([str(file)], "answer", Choice(None, sample, seed))}
    others = [question.id for question in other_questions(file, sample=sample, sample_seed=seed, n=n)]
    assert len(set(others)) == n
    assert not tested & set(others)


def test_levels_apply_to_the_sample_and_to_the_others(file: Path) -> None:
    levels = Levels.read("1-2")
    tested = {question.id for question in read_sets([str(file)], "answer", Choice(levels, 12, 0))}
    others = other_questions(file, sample=12, sample_seed=0, n=8, levels=levels)
    assert {question.level for question in others} == {1, 2}
    assert len(tested | {question.id for question in others}) == 20


def test_more_questions_than_there_are_is_an_error(file: Path) -> None:
    with pytest.raises(ValueError, match=r"a sample of 10 leaves 20 questions .* request at most so many"):
        other_questions(file, sample=10, sample_seed=0, n=21)


def test_the_file_can_be_rolled_out(file: Path, tmp_path: Path) -> None:
    output = tmp_path / "train.jsonl"
    options = ["--sample", "10", "--questions", "20", "--output", str(output)]
    subprocess.run([sys.executable, study.__file__, str(file), *options], check=True)
    rows = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert len(rows) == 20
    assert all(row["question"] == f"{row['id']}+1" and int(row["reference"]) == int(row["id"]) + 1 for row in rows)
