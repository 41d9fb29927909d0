"""Swapped pairs have the same judgments, and need no new draw."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import swapped_pairs as study
from swapped_pairs import swapped
from typer.testing import CliRunner

from egrm_graph.benchmark.held_out import BenchQuestion, held_out
from egrm_graph.benchmark.published_sets import read_questions
from egrm_graph.cli import app


@pytest.mark.parametrize(("winner", "other"), [("A", "B"), ("B", "A"), ("tie", "tie")])
def test_the_winner_stays_the_same_candidate(winner: str, other: str) -> None:
    row = swapped(BenchQuestion("7", "1+1", winner, "easy", ("2", "3")))
    assert row == {"id": "7", "question": "1+1", "candidates": ["3", "2"], "reference": other, "level": "easy"}


def test_a_question_is_not_a_pair() -> None:
    with pytest.raises(ValueError, match="7 has 0 candidates, not 2; name a file of pairs"):
        swapped(BenchQuestion("7", "1+1", "2", 1))


def test_the_same_draws_give_the_same_verdicts(tmp_path: Path) -> None:
    pairs, output, draws = tmp_path / "pairs.jsonl", tmp_path / "swapped.jsonl", tmp_path / "draws"
    chosen = held_out(12, "pairwise")
    rows = (
        {"id": each.id, "question": each.text, "candidates": each.candidates, "reference": each.reference}
        for each in chosen
    )
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    subprocess.run([sys.executable, study.__file__, pairs, "--output", output], check=True)
    assert [each.candidates[::-1] for each in read_questions(output)] == [each.candidates for each in chosen]
    tables = []
    runs: list[tuple[Path, list[str]]] = [(pairs, []), (output, ["--draws-only"])]
    for file, only in runs:
        folder = tmp_path / file.stem
        methods = ["--methods", "never,always,egrm", "--task", "pairwise", "--draws", str(draws)]
        done = CliRunner().invoke(app, ["bench", str(file), "--output", str(folder), *methods, *only])
        assert done.exit_code == 0, done.output
        results = [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]
        tables.append({(each["method"], each["id"]): (each["right"], each["escalated"]) for each in results})
    assert len(tables[0]) == 36
    assert tables[0] == tables[1]
