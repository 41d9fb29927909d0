"""Calibrating an aggregate of step scores on rollouts, into the scorer's folder."""

import asyncio
import json
from pathlib import Path
from shutil import copytree

import pytest

from egrm_graph.benchmark.step_calibration import main
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.checkpoint import read_manifest
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.step_grading import step_grading
from egrm_graph.settings import BUNDLED_SCORER
from egrm_graph.training.rollout_file import Rollout, RolloutPath, write_rollouts

QUESTION = "47+38-6"
RIGHT, WRONG = "47+30=77;77+8=85;85-6=79;#79", "47+30=77;77+8=85;85-6=78;#78"


def rollouts(file: Path) -> Path:
    """Questions with right and wrong paths, and one right path that is taken to be wrong."""
    marks = [(RIGHT, True), (WRONG, False), (RIGHT, True), (RIGHT, False)]
    paths = tuple(RolloutPath(text=text, answer=text.partition("#")[2], correct=mark) for text, mark in marks)
    write_rollouts(file, [Rollout(id=name, question=QUESTION, reference="79", paths=paths) for name in "abcd"])
    return file


def run(monkeypatch: pytest.MonkeyPatch, *options: object) -> None:
    monkeypatch.setattr("sys.argv", ["step_calibration", *map(str, options)])
    main()


def test_it_makes_the_aggregate_of_the_scorer_a_probability(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copytree(bundled(BUNDLED_SCORER), tmp_path / "mine")
    before = json.loads((folder / "egrm.json").read_text())
    file = rollouts(tmp_path / "rollouts.jsonl")
    run(monkeypatch, file, "--scorer", folder, "--steps", ";", "--aggregation", "product")
    assert "The product of 16 paths of 4 questions: expected calibration error" in capsys.readouterr().out
    after = json.loads((folder / "egrm.json").read_text())
    assert {name: value for name, value in after.items() if name != "path_calibration"} == before
    found = read_manifest(folder).path_calibration
    assert found is not None
    assert (found.steps, found.aggregation, found.questions, found.paths) == (";", "product", 4, 16)
    assert found.ece_after < found.ece_before

    scorer = ClassifierScorer.load(folder, device="cpu")
    chosen = step_grading(scorer, ";", "product")
    other = step_grading(scorer, ";", "minimum")
    (steps,) = asyncio.run(scorer.score_steps(QUESTION, [RIGHT], [[9, 17, 25, 28]]))
    asyncio.run(scorer.aclose())
    assert chosen is not None
    assert other is not None
    assert (chosen.calibrated, other.calibrated) == (True, False)
    assert isinstance(steps, list)
    assert chosen.path_score(steps) == pytest.approx(2 / 3, abs=0.1)  # two of three such paths are right
    assert other.path_score(steps) == min(steps)


def test_what_cannot_be_calibrated_does_not_change_the_scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copytree(bundled(BUNDLED_SCORER), tmp_path / "mine")
    before = (folder / "egrm.json").read_text()
    file = tmp_path / "rollouts.jsonl"
    path = RolloutPath(text=RIGHT, answer="79", correct=True)
    write_rollouts(file, [Rollout(id="a", question=QUESTION, reference="79", paths=(path, path))])
    with pytest.raises(SystemExit, match="needs paths that are right and paths that are wrong"):
        run(monkeypatch, file, "--scorer", folder, "--steps", ";")
    with pytest.raises(SystemExit, match=r"error: '\(' says where steps end"):
        run(monkeypatch, file, "--scorer", folder, "--steps", "(")
    assert (folder / "egrm.json").read_text() == before
