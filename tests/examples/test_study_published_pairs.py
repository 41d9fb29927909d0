"""Published pairs in this package's own form."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import published_pairs as study
import pytest

from egrm_graph.fine_tuning.judged_pairs import read_pairs

ROWS: list[dict[str, Any]] = [
    {"id": f"n{i}", "input": f"{i}?", "output_1": "yes", "output_2": "no", "label": 1 + i % 2} for i in range(6)
]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    file = tmp_path / "published.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return file


def test_the_trainings_read_the_file(published: Path, tmp_path: Path) -> None:
    output = tmp_path / "pairs.jsonl"
    options = ["--output", str(output), "--domain", "preference", "--pairs", "4"]
    subprocess.run([sys.executable, study.__file__, str(published), *options], check=True)
    found = read_pairs(output)
    assert [each.id for each in found] == [row["id"] for row in study.published_pairs(published, None, 0)[:4]]
    assert {each.domain for each in found} == {"preference"}
    for each in found:
        row = next(row for row in ROWS if row["id"] == each.id)
        assert (each.question, each.candidates, each.reference) == (row["input"], ("yes", "no"), "AB"[row["label"] - 1])


def test_without_a_domain_the_field_is_absent(published: Path) -> None:
    assert {"domain" in row for row in study.published_pairs(published, None, 1)} == {False}


def test_questions_without_candidates_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "1+1?", "reference": "2"}\n', "utf-8")
    command = [sys.executable, study.__file__, str(file), "--output", str(tmp_path / "pairs.jsonl")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "questions without candidates" in done.stderr
