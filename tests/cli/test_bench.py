import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from egrm_graph.cli import app

RUN = CliRunner()


@pytest.mark.slow
def test_strategies_are_compared_on_a_file_of_questions(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "1+2", "reference": "3"}\n{"question": "4+4", "reference": "8"}\n')
    options = ["--output", str(tmp_path / "out"), "--strategies", "never,always,egrm,random,oracle"]
    done = RUN.invoke(app, ["bench", str(questions), *options])
    assert done.exit_code == 0, done.stderr
    assert all(name in done.stdout for name in ("never", "always", "egrm", "random", "oracle"))
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [row["strategy"] for row in figures] == ["never", "always", "egrm", "random", "oracle"]
    assert figures[0]["accuracy"]["value"] == 1.0
    again = RUN.invoke(app, ["bench", str(questions), *options])
    assert again.exit_code == 2
    assert "go on with it by --resume" in again.stderr
    resumed = RUN.invoke(app, ["bench", str(questions), *options, "--resume"])
    assert resumed.exit_code == 0
    assert json.loads((tmp_path / "out" / "figures.json").read_text()) == figures


def test_wrong_names_and_files_are_told_in_a_line(tmp_path: Path) -> None:
    output = ["--output", str(tmp_path / "out")]
    twice = RUN.invoke(app, ["bench", *output, "--strategies", "never,never"])
    assert (twice.exit_code, twice.stderr.strip()) == (2, "egrm: --strategies names never; name each strategy once")
    unknown = RUN.invoke(app, ["bench", *output, "--limit", "1", "--strategies", "sometimes"])
    assert unknown.exit_code == 2
    assert "there is no strategy 'sometimes'" in unknown.stderr
    missing = RUN.invoke(app, ["bench", str(tmp_path / "none.jsonl"), *output])
    assert missing.exit_code == 2
    assert "none.jsonl" in missing.stderr
