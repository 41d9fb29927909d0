import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from egrm_graph.benchmark.bench_methods import METHODS
from egrm_graph.cli import app

RUN = CliRunner()


@pytest.mark.slow
def test_methods_are_compared_on_a_file_of_questions(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "1+2", "reference": "3"}\n{"question": "4+4", "reference": "8"}\n')
    options = ["--output", str(tmp_path / "out"), "--methods", "never,always,egrm,random,oracle"]
    done = RUN.invoke(app, ["bench", str(questions), *options])
    assert done.exit_code == 0, done.stderr
    assert f"written: {tmp_path / 'out' / 'results.jsonl'}, " in done.stderr
    assert all(name in done.stdout for name in ("never", "always", "egrm", "random", "oracle"))
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [row["method"] for row in figures] == ["never", "always", "egrm", "random", "oracle"]
    assert figures[0]["accuracy"]["value"] == 1.0
    again = RUN.invoke(app, ["bench", str(questions), *options])
    assert again.exit_code == 2
    assert "continue it with --resume" in again.stderr
    resumed = RUN.invoke(app, ["bench", str(questions), *options, "--resume"])
    assert resumed.exit_code == 0
    assert json.loads((tmp_path / "out" / "figures.json").read_text()) == figures


def test_wrong_names_and_files_are_one_line_errors(tmp_path: Path) -> None:
    output = ["--output", str(tmp_path / "out")]
    twice = RUN.invoke(app, ["bench", *output, "--methods", "never,never"])
    assert (twice.exit_code, twice.stderr.strip()) == (2, "egrm: --methods has never twice; name each method once")
    unknown = RUN.invoke(app, ["bench", *output, "--limit", "1", "--methods", "sometimes"])
    assert unknown.exit_code == 2
    assert (
        "unknown method 'sometimes'; choose from never, always, egrm:MEASURE=THRESHOLD@SAMPLES+STOPPING, random,"
        in unknown.stderr
    )
    missing = RUN.invoke(app, ["bench", str(tmp_path / "none.jsonl"), *output])
    assert missing.exit_code == 2
    assert "none.jsonl" in missing.stderr


def test_it_lists_every_method() -> None:
    done = RUN.invoke(app, ["bench", "--list-methods"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == [method.name for method in METHODS]
