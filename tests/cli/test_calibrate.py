"""`egrm calibrate`, as a user runs it."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egrm_graph.calibration.gate_calibration import read_calibration
from egrm_graph.cli import app
from tests import calibrations
from tests.replay.logs import line, question, scored, written

SAFE = [question(i, "77777" if i < 80 else "88877") for i in range(100)]


def calibrated(log: Path, output: Path, *more: object) -> Result:
    command = ["calibrate", log, "--model", "m", "--task", "answer", "--output", output, "--target-risk", "0.05", *more]
    return CliRunner().invoke(app, [str(argument) for argument in command])


def test_a_guarantee_is_written_and_printed(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", SAFE)
    done = calibrated(log, tmp_path / "gate.json", "--measure", "consensus", "--samples", 5)
    assert done.exit_code == 0, done.output
    made = read_calibration(tmp_path / "gate.json")
    assert (made.model, made.task, made.measure, made.samples, made.threshold) == ("m", "answer", "consensus", 5, 1.0)
    assert (made.target_risk, made.confidence, made.loss, made.gates) == (0.05, 0.95, "excess", 1)
    assert (made.questions, made.labelled, made.losses, made.direct) == (100, 100, 0, 80)
    assert (made.data, made.data_sha256) == ("log.jsonl", hashlib.sha256(log.read_bytes()).hexdigest())
    assert set(made.versions) == {"egrm-graph", "numpy", "scipy"}
    assert "Gate: consensus of 5 samples >= 1. 80.0% of these questions skip reasoning." in done.stdout
    assert "so the risk is at most 2.95% (gates tried: 1)" in done.stdout


SURE_PATHS = [scored(i, "77777" if i < 80 else "88877", [("7", 0.97), ("7", 0.5)], 10) for i in range(200)]


def test_stopping_is_calibrated_with_the_gate(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", SURE_PATHS)
    done = calibrated(
        log, tmp_path / "gate.json", "--measure", "consensus", "--samples", 5, "--path-confidence", "0.95"
    )
    assert done.exit_code == 0, done.output
    made = read_calibration(tmp_path / "gate.json")
    assert (made.path_stopping, made.path_confidence, made.paths, made.selection) == (
        "posterior",
        0.95,
        2,
        "weighted_vote",
    )
    assert made.gates == 2
    assert "Paths: until an answer is right with probability 0.95, 1.00 of 2 on average." in done.stdout
    assert "get a wrong answer where all paths give the right one" in done.stdout
    alone = calibrated(log, tmp_path / "alone.json", "--measure", "consensus", "--samples", 5, "--all-paths")
    assert alone.exit_code == 0, alone.output
    assert read_calibration(tmp_path / "alone.json").run_settings["path_stopping"] == "all"


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (SAFE[:5], "No guarantee: 5 questions cannot promise a risk of 0.05"),
        ([question(i, "77777") for i in range(200)], "No guarantee: every answer is right"),
        ([question(i, "88888", "9") for i in range(200)], "No guarantee: every answer is wrong"),
        ([question(i, "88888") for i in range(200)], "No guarantee: no gate keeps a risk"),
    ],
)
def test_without_a_guarantee_no_calibration_is_written(tmp_path: Path, log: list, message: str) -> None:  # type: ignore[type-arg]
    done = calibrated(written(tmp_path / "log.jsonl", log), tmp_path / "gate.json")
    assert (done.exit_code, (tmp_path / "gate.json").exists()) == (1, False)
    assert done.stdout.startswith(message)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--measure", "nope"], "--measure nope: unknown measure; choose from consensus"),
        (["--samples", "9"], "samples=9: the log has 5 fast answers per question"),
        (
            ["--confidence", "1"],
            "no number of questions can guarantee --confidence 1; choose a value between 0 and 1, such as 0.95",
        ),
        (["--task", "pairwise", "--abstain-risk", "0.1"], "the task pairwise judges candidates"),
        (["--path-confidence", "0.9"], "stopping by scores needs a log in which paths have a 'score'"),
        (["--path-confidence", "1"], "--path-confidence 1 is never reached"),
        (["--task", "pairwise", "--path-confidence", "0.9"], "the task pairwise draws paths in several orders"),
        (["--selection", "first"], "--selection first: unknown selection rule; choose from weighted_vote"),
        (["--questions", "nowhere"], "nowhere cannot be read"),
    ],
)
def test_an_option_that_cannot_be_used_is_a_one_line_error(tmp_path: Path, more: list[str], message: str) -> None:
    done = calibrated(written(tmp_path / "log.jsonl", SAFE), tmp_path / "gate.json", *more)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert message in done.stderr


def test_a_null_label_is_an_error_and_not_a_wrong_answer(tmp_path: Path) -> None:
    row = line(SAFE[0])
    row["fast"][3]["correct"] = None
    (tmp_path / "log.jsonl").write_text(json.dumps(row) + "\n")
    done = calibrated(tmp_path / "log.jsonl", tmp_path / "gate.json")
    assert done.exit_code == 2
    assert "line 1: fast.3.correct=None: Input should be a valid boolean" in done.stderr


def test_it_says_if_reasoning_is_not_better(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", [question(i, "77777", "7" if i < 150 else "8") for i in range(200)])
    done = calibrated(log, tmp_path / "gate.json")
    assert done.exit_code == 0, done.output
    assert "gate 100.0%, always reasoning 75.0%, never 100.0%. Right among the direct answers: 100.0%" in done.stdout
    assert "Reasoning is not better than the fast answers here" in done.stdout


def test_a_calibration_is_replaced_only_on_request(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", SAFE)
    assert calibrated(log, tmp_path / "gate.json").exit_code == 0
    again = calibrated(log, tmp_path / "gate.json")
    assert (again.exit_code, "add --overwrite" in again.stderr) == (2, True)
    assert calibrated(log, tmp_path / "gate.json", "--overwrite").exit_code == 0


def test_a_question_is_asked_with_a_calibration(tmp_path: Path) -> None:
    file = calibrations.written(tmp_path, threshold=0.5, samples=2)
    command = ["ask", "17+48", "--calibration", file, "--scorer", "none", "--stopping", "all", "--json"]
    done = CliRunner().invoke(app, [str(argument) for argument in command])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["uncertainty"]["samples"], result["uncertainty"]["threshold"], result["calibrated"]) == (
        2,
        0.5,
        True,
    )
    assert result["confidence"] in (0.6, 0.97)
