"""The calibration file and its probabilities."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from egrm_graph.calibration.gate_calibration import GateCalibration, Step, fitted_steps, probability, read_calibration
from egrm_graph.errors import SettingsError
from tests.calibrations import calibration


def test_a_written_file_is_read_back(tmp_path: Path) -> None:
    made = calibration()
    (tmp_path / "gate.json").write_text(made.model_dump_json())
    assert read_calibration(tmp_path / "gate.json") == made


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}", "does not fit this version: model"), ("no JSON", "does not fit this version"), (None, "cannot be read")],
)
def test_a_file_that_is_not_a_calibration_is_an_error(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "gate.json").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_calibration(tmp_path / "gate.json")


@pytest.mark.parametrize("changed", [{"format": 2}, {"more": 1}, {"samples": 0}, {"target_risk": 1.0}])
def test_unknown_or_invalid_fields_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changed))):
        GateCalibration.model_validate({**calibration().model_dump(), **changed})


def test_an_abstention_for_a_judging_task_is_refused() -> None:
    withheld = {"below": 0.5, "target_risk": 0.1, "questions": 9, "answered": 9, "wrong": 0}
    with pytest.raises(ValidationError, match="the task 'pairwise' judges candidates"):
        GateCalibration.model_validate({**calibration().model_dump(), "task": "pairwise", "abstention": withheld})


def test_a_probability_applies_from_its_step_to_the_next() -> None:
    steps = (Step(0.5, 0.25, 10), Step(0.8, 0.75, 10))
    assert [probability(steps, value) for value in (0.1, 0.5, 0.79, 0.8, 1.0)] == [0.25, 0.25, 0.25, 0.75, 0.75]
    assert probability((), 0.5) is None


def test_falling_steps_are_pooled_and_shares_smoothed() -> None:
    # 0.4: 1 of 2; 0.6: 0 of 1, so both are pooled to 1 of 3 and counted as 2 of 5; 0.8: 2 of 2 as 3 of 4.
    steps = fitted_steps([0.4, 0.4, 0.6, 0.8, 0.8, float("-inf")], [True, False, False, True, True, True])
    assert steps == (Step(0.4, 0.4, 3), Step(0.8, 0.75, 2))


def test_without_values_there_are_no_steps() -> None:
    assert fitted_steps([], []) == fitted_steps([float("-inf")], [True]) == ()


@given(st.lists(st.tuples(st.sampled_from([0.2, 0.4, 0.6, 0.8, 1.0]), st.booleans()), min_size=1, max_size=60))
def test_probabilities_never_fall_and_are_never_0_or_1(pairs: list[tuple[float, bool]]) -> None:
    steps = fitted_steps([value for value, _ in pairs], [right for _, right in pairs])
    shares = [step.probability for step in steps]
    assert shares == sorted(shares)
    assert all(0 < share < 1 for share in shares)
    assert sum(step.questions for step in steps) == len(pairs)
