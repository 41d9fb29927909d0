"""The generated sums are right, different, and readable by the benchmark."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import easy_sums as study
import pytest
from easy_sums import easy_sums

from egrm_graph.benchmark.published_sets import read_questions


def test_the_references_are_the_values_of_the_sums() -> None:
    for row in easy_sums(300, seed=5):
        (text,) = re.findall(r"^What is ([\d +-]+)\?$", str(row["question"]))
        first, *others = re.findall(r"[+-]?\d+", text.replace(" ", ""))
        assert int(str(row["reference"])) == int(first) + sum(map(int, others)) >= 0
        assert row["level"] == 1 + len(others)


def test_questions_differ_and_levels_are_equally_frequent() -> None:
    rows = easy_sums(2000)
    assert len({row["question"] for row in rows}) == len({row["id"] for row in rows}) == 2000
    assert Counter(row["level"] for row in rows) == {2: 1000, 3: 1000}


def test_a_longer_list_starts_with_the_shorter_one_and_another_seed_gives_other_questions() -> None:
    assert easy_sums(50)[:20] == easy_sums(20) != easy_sums(20, seed=1)


@pytest.mark.parametrize("n", [0, 2001])
def test_a_number_of_questions_that_cannot_be_made_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="request 1 to 2,000"):
        easy_sums(n)


def test_the_file_is_a_file_of_the_benchmark(tmp_path: Path) -> None:
    command = [sys.executable, str(study.__file__), "--output", str(tmp_path / "sums.jsonl"), "--questions", "5"]
    subprocess.run(command, check=True)
    assert [question.text for question in read_questions(tmp_path / "sums.jsonl")] == [
        row["question"] for row in easy_sums(5)
    ]
    assert len(list(map(json.loads, (tmp_path / "sums.jsonl").read_text().splitlines()))) == 5
