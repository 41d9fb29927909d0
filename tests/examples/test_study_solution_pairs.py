"""Pairs of a right and a wrong solution."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import solution_pairs as study

from egrm_graph.benchmark.published_sets import read_questions

RIGHT = {"is_correct": True, "solution": "1+1=<<1+1=2>>2\nA: 2"}
WRONG = {"is_correct": False, "solution": "1+1=<<1+1=3>>3\nA: 3"}
ROWS = [{"question": f"{i}?", "ground_truth": "A: 2", "large": RIGHT, "small": WRONG} for i in range(6)]


def test_only_questions_with_both_kinds_make_pairs() -> None:
    rows = [*ROWS, {"question": "all right", "large": RIGHT, "small": RIGHT}, {"question": "all wrong", "small": WRONG}]
    assert {row["question"] for row in study.solution_pairs(rows, 0)} == {row["question"] for row in ROWS}


def test_the_right_solution_is_first_in_every_other_pair() -> None:
    pairs = study.solution_pairs(ROWS, 0)
    assert [row["reference"] for row in pairs] == ["A", "B"] * 3
    assert [row["candidates"]["AB".index(row["reference"])] for row in pairs] == ["1+1=2\nA: 2"] * 6
    assert {row["domain"] for row in pairs} == {"correctness"}


def test_the_benchmark_reads_the_file(tmp_path: Path) -> None:
    published, output = tmp_path / "solutions.jsonl.gz", tmp_path / "pairs.jsonl"
    published.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode()))
    subprocess.run([sys.executable, study.__file__, published, "--output", output, "--pairs", "4"], check=True)
    assert [each.reference for each in read_questions(output)] == ["A", "B", "A", "B"]
