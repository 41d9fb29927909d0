"""How well scorers judge steps, with intervals, against small cases counted by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from egrm_graph.benchmark.step_comparison import (
    StepScores,
    compare_steps,
    f1_of,
    figures_of,
    main,
    score_steps,
    shuffled_f1,
    step_calibration_error,
)
from egrm_graph.errors import InputError, ModelError
from egrm_graph.scoring.function_scorer import FunctionScorer
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.training.rollout_file import Rollout, RolloutPath, RolloutStep, write_rollouts
from egrm_graph.training.step_figures import FirstErrors

WORKED = "7+70=77;77+2=79;79+4=83;#83"  # 7+72+94: its third step is wrong


def question(name: str, *texts: str) -> Rollout:
    """Paths with a step for each character, which is right if it is 1."""
    paths = [
        RolloutPath(
            text=text,
            correct="0" not in text,
            steps=tuple(RolloutStep(end=i + 1, value=float(mark)) for i, mark in enumerate(text)),
        )
        for text in texts
    ]
    return Rollout(id=name, question=name, paths=tuple(paths))


class ByCharacter:
    """A scorer of steps: 0.9 for a step that ends in 1, 0.2 for another. It cannot score a path with a 9."""

    name = "by-character"
    calibrated = False

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        raise AssertionError("only steps are scored")

    async def score_steps(
        self, question: str, paths: Sequence[str], ends: Sequence[Sequence[int]]
    ) -> list[list[float] | Unscored]:
        return [
            Unscored("too long") if len(path) > 3 else [0.9 if path[end - 1] == "1" else 0.2 for end in some]
            for path, some in zip(paths, ends, strict=True)
        ]

    async def aclose(self) -> None: ...


async def test_all_labeled_steps_are_scored_and_lost_paths_counted() -> None:
    questions, lost = await score_steps(ByCharacter(), [question("a", "10", "1111"), question("b", "1111")], Console())
    assert lost == 2
    assert [(some.targets, some.scores) for some in questions] == [([1.0, 0.0], [0.9, 0.2])]


async def test_a_scorer_of_full_paths_only_is_an_error() -> None:
    with pytest.raises(ModelError, match="cannot score steps; use a folder of `egrm train process-reward`"):
        await score_steps(FunctionScorer(lambda question, path: 1.0), [question("a", "1")], Console())


def test_figures_have_intervals_over_questions() -> None:
    right = StepScores(question("a", "10", "11"), [1.0, 0.0, 1.0, 1.0], [0.9, 0.2, 0.9, 0.9])
    wrong = StepScores(question("b", "10"), [1.0, 0.0], [0.2, 0.9])
    row = figures_of("s", [right, wrong], unscored=1)
    assert (row.questions, row.paths, row.steps, row.unscored) == (2, 3, 6, 1)
    assert row.step_accuracy is not None
    assert row.step_accuracy.value == pytest.approx(4 / 6)
    assert (row.step_accuracy.low, row.step_accuracy.high) == (0, 1)
    assert row.steps_right is not None
    assert row.steps_right.value == pytest.approx(4 / 6)
    assert row.first_error_f1 is not None
    assert row.first_error_f1.value == pytest.approx(2 * 0.5 * 1 / 1.5)


def test_f1_needs_paths_of_both_kinds() -> None:
    assert f1_of([FirstErrors(1, 1, 0, 0)]) is None
    assert f1_of([FirstErrors(0, 0, 1, 1)]) is None


def test_the_calibration_error_is_over_steps() -> None:
    # Scores 0.9 for a right and a wrong step, and 0.2 for a wrong one: (2 * 0.4 + 0.2) / 3.
    scores = StepScores(question("a", "100"), [1.0, 0.0, 0.0], [0.9, 0.9, 0.2])
    assert step_calibration_error([scores]).value == pytest.approx((2 * 0.4 + 0.2) / 3)


def test_paths_that_cannot_be_scored_are_an_error() -> None:
    with pytest.raises(InputError, match="s could score none of the 3 paths"):
        figures_of("s", [], unscored=3)


def save_worked(file: Path) -> Path:
    labels = ((8, 1), (16, 1), (24, 0))
    wrong = RolloutPath(text=WORKED, correct=False, steps=tuple(RolloutStep(end=e, value=v) for e, v in labels))
    text = "7+70=77;77+2=79;79+90=169;169+4=173;#173"
    ends = (8, 16, 26, 36, 40)
    right = RolloutPath(text=text, correct=True, steps=tuple(RolloutStep(end=end, value=1) for end in ends))
    write_rollouts(file, [Rollout(id="q", question="7+72+94", paths=(wrong, right))])
    return file


def test_shuffled_scores_find_what_chance_finds() -> None:
    # A third of the scores is low: the wrong step has one in 1/3, the right ones have none in 4/9.
    names = [str(i) for i in range(300)]
    questions = [StepScores(question(name, "11"), [1.0, 1.0], [0.9, 0.9]) for name in names]
    questions += [StepScores(question(f"{name}-", "0"), [0.0], [0.2]) for name in names]
    known, chance = figures_of("s", questions, 0).first_error_f1, shuffled_f1(questions)
    assert known is not None
    assert known.value == 1.0
    assert chance == pytest.approx(2 * (1 / 3) * (4 / 9) / (1 / 3 + 4 / 9), abs=0.03)


async def test_the_bundled_scorer_finds_the_first_error(tmp_path: Path) -> None:
    bundled = Path(sys.modules["egrm_graph"].__file__ or "").parent / "models" / "egrm-tiny-scorer"
    report = await compare_steps(save_worked(tmp_path / "steps.jsonl"), {"bundled": bundled}, Console())
    (row,) = report.rows
    assert row.first_error_f1 is not None
    assert row.first_error_f1.value == 1.0


def test_the_command_prints_a_table_and_writes_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = save_worked(tmp_path / "steps.jsonl")
    monkeypatch.setattr(sys, "argv", ["step_comparison", str(steps), "--json", str(tmp_path / "figures.json")])
    main()
    assert "1 questions, 2 paths, 8 labeled steps" in capsys.readouterr().out
    (report,) = json.loads((tmp_path / "figures.json").read_text())
    assert report["rows"][0]["first_error_f1"]["value"] == 1.0
