"""Runs with a calibrated gate, through the graph."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from egrm_graph import RunSettings, Settings, Verification, build_graph
from egrm_graph.calibration.calibrated_gate import CalibratedGate
from egrm_graph.calibration.gate_calibration import Abstention, CalibrationWarning
from egrm_graph.calibration.rate_watch import RateWatch
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.settings import BUNDLED_MODEL
from egrm_graph.verification import Uncertainty
from tests.calibrations import calibration, written

SURE, UNSURE = ["7"] * 4, ["7", "8", "7", "8"]
SEVEN, EIGHT = "3+4=7;#7", "3+4=8;#8"


def client(fast: Sequence[str], paths: Sequence[str] = (SEVEN,) * 4, name: str = BUNDLED_MODEL) -> ScriptedClient:
    return ScriptedClient(fast=list(fast), paths=list(paths), name=name)


async def verify(file: Path, scripted: ScriptedClient, context: RunSettings | None = None) -> Verification:
    graph = build_graph(Settings(calibration=file), client=scripted, scorer=None)
    result: Verification = (await graph.ainvoke({"question": "3+4"}, context=context))["verification"]
    return result


async def test_the_calibration_sets_the_gate(tmp_path: Path) -> None:
    result = await verify(written(tmp_path), client(SURE))
    gate = result["uncertainty"]
    assert (gate["measure"], gate["samples"], gate["threshold"]) == ("consensus", 4, 1.0)
    assert (result["route"], result["answer"], result["confidence"], result["calibrated"]) == (
        "direct",
        "7",
        0.97,
        True,
    )


async def test_the_confidence_of_an_early_decision_covers_all_values_that_open_the_gate(tmp_path: Path) -> None:
    """Three of four agree, so the gate at 0.75 opens. The values 0.75 and 1 are right 0.6 and 0.9 of the time."""
    file = written(tmp_path, threshold=0.75, fast_right=((0.5, 0.1, 10), (0.75, 0.6, 20), (1.0, 0.9, 40)))
    result = await verify(file, client(SURE))
    assert (result["uncertainty"]["samples"], result["route"]) == (3, "direct")
    assert result["confidence"] == pytest.approx((0.6 * 20 + 0.9 * 40) / 60)
    all_votes = build_graph(Settings(calibration=file, stopping="all"), client=client(SURE), scorer=None)
    assert (await all_votes.ainvoke({"question": "3+4"}))["verification"]["confidence"] == 0.9


async def test_a_stopping_rule_that_can_change_the_route_warns(tmp_path: Path) -> None:
    with pytest.warns(CalibrationWarning, match="all votes, not those until the rule 'beta' stops"):
        build_graph(Settings(calibration=written(tmp_path), stopping="beta"), client=client(SURE), scorer=None)


async def test_a_reasoned_answer_has_its_own_confidence(tmp_path: Path) -> None:
    result = await verify(written(tmp_path), client(UNSURE, [SEVEN, SEVEN, SEVEN, EIGHT]))
    assert (result["route"], result["confidence"], result["calibrated"]) == ("reasoned", 0.8, True)


async def test_a_run_with_another_threshold_is_not_calibrated(tmp_path: Path) -> None:
    result = await verify(written(tmp_path), client(SURE), RunSettings(threshold=0.5))
    assert (result["route"], result["confidence"], result["calibrated"]) == ("direct", 1.0, None)


async def test_without_a_path_answer_the_confidence_is_not_calibrated(tmp_path: Path) -> None:
    result = await verify(written(tmp_path), client(UNSURE, ["?"] * 4))
    assert (result["status"], result["confidence"], result["calibrated"]) == ("degraded", 0.5, None)


ABSTENTION = Abstention(below=0.75, target_risk=0.1, questions=100, answered=80, wrong=2)


@pytest.mark.parametrize(
    ("paths", "status", "confidence", "reason"),
    [
        ([SEVEN, SEVEN, SEVEN, EIGHT], "ok", 0.8, None),
        ([SEVEN, SEVEN, EIGHT, EIGHT], "abstained", 0.3, "its confidence is 0.5, below the calibration's 0.75"),
        (["?"] * 4, "abstained", 0.5, "it has no confidence of the kind that was calibrated"),
    ],
)
async def test_a_reasoned_answer_below_the_abstention_threshold_is_withheld(
    tmp_path: Path, paths: list[str], status: str, confidence: float, reason: str | None
) -> None:
    result = await verify(written(tmp_path, abstention=ABSTENTION), client(UNSURE, paths))
    assert (result["status"], result["confidence"]) == (status, confidence)
    assert (result["answer"], result["best_guess"]) == (("7", None) if reason is None else (None, "7"))
    assert reason is None or result["reasons"][-1] == f"the answer was withheld: {reason}"


async def test_a_direct_answer_is_never_withheld(tmp_path: Path) -> None:
    result = await verify(written(tmp_path, abstention=ABSTENTION), client(SURE))
    assert (result["status"], result["answer"]) == ("ok", "7")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "other"}, "the model 'other', not 'egrm-tiny'"),
        ({"task": "answer"}, "the task 'answer', not 'arithmetic'"),
        ({"scored": True}, "paths with a scorer"),
    ],
)
async def test_another_model_or_task_warns_and_has_no_calibrated_confidence(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.warns(CalibrationWarning, match=message):
        result = await verify(written(tmp_path, **changes), client(SURE))
    assert (result["uncertainty"]["samples"], result["confidence"], result["calibrated"]) == (4, 1.0, None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 5}, "samples=5 contradicts the calibration .* whose gate has 4"),
        ({"threshold": 0.8}, "threshold=0.8 contradicts"),
        ({"measure": "vote_entropy"}, "measure='vote_entropy' contradicts"),
    ],
)
def test_a_setting_that_contradicts_the_calibration_is_an_error(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        build_graph(Settings(calibration=written(tmp_path), **settings), client=client(SURE), scorer=None)


STOPS = {"path_stopping": "posterior", "path_confidence": 0.9, "paths": 6, "selection": "best_score", "scored": True}


class Sure:
    name = "sure"
    calibrated = True

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [0.8 for _ in paths]

    async def aclose(self) -> None: ...


async def test_the_calibration_sets_where_paths_stop(tmp_path: Path) -> None:
    file = written(tmp_path, **STOPS)
    graph = build_graph(Settings(calibration=file), client=client(UNSURE, [SEVEN] * 6), scorer=Sure())
    result = (await graph.ainvoke({"question": "3+4"}))["verification"]
    assert (len(result["paths"]), result["calibrated"], result["confidence"]) == (2, True, 0.8)
    other = (await graph.ainvoke({"question": "3+4"}, context=RunSettings(path_confidence=0.95)))["verification"]
    assert (len(other["paths"]), other["confidence"]) == (3, 0.8)  # the score itself, which is not the calibration's


@pytest.mark.parametrize(
    "settings", [{"path_confidence": 0.95}, {"paths": 4}, {"path_stopping": "all"}, {"selection": "weighted_vote"}]
)
def test_a_setting_that_contradicts_calibrated_stopping_is_an_error(tmp_path: Path, settings: dict[str, Any]) -> None:
    [(name, value)] = settings.items()
    with pytest.raises(SettingsError, match=f"{name}={value!r} contradicts the calibration"):
        build_graph(Settings(calibration=written(tmp_path, **STOPS), **settings), client=client(SURE), scorer=Sure())


def test_a_calibration_without_stopping_was_made_for_all_paths(tmp_path: Path) -> None:
    found = calibration()
    assert found.run_settings == {"measure": "consensus", "samples": 4, "threshold": 1.0, "path_stopping": "all"}
    gate = CalibratedGate(found, foreign=False, watch=RateWatch((0.4, 0.6)))
    settings = Settings(samples=4, threshold=1.0, path_stopping="all")
    assert gate.holds_for(settings)
    assert not gate.holds_for(settings.overridden({"path_stopping": "beta"}))


def test_stopping_needs_all_of_its_fields() -> None:
    with pytest.raises(ValueError, match="comes with path_confidence, paths, and selection"):
        calibration(path_stopping="posterior", path_confidence=0.9)


def test_a_calibration_of_samples_refuses_label_probabilities(tmp_path: Path) -> None:
    settings = Settings(task="pairwise", calibration=written(tmp_path, task="pairwise"))
    labels_client = ScriptedClient(labels={"A": -0.1}, name=BUNDLED_MODEL)
    with pytest.raises(SettingsError, match=r"label_probabilities='auto' reads verdicts .* set it to 'never'"):
        build_graph(settings, client=labels_client, scorer=None)


def test_a_setting_that_agrees_with_the_calibration_is_accepted(tmp_path: Path) -> None:
    build_graph(Settings(calibration=written(tmp_path), samples=4), client=client(SURE), scorer=None)


def test_a_missing_file_is_an_error_that_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`egrm calibrate` makes one"):
        build_graph(Settings(calibration=tmp_path / "nowhere.json"), client=client(SURE), scorer=None)


async def test_a_changed_share_of_direct_runs_warns_once(tmp_path: Path) -> None:
    graph = build_graph(Settings(calibration=written(tmp_path)), client=client(SURE), scorer=None)
    with pytest.warns(CalibrationWarning, match="of [0-9]+ runs so far took the direct route") as caught:
        await graph.abatch([{"question": "3+4"}] * 40)
    assert len(caught) == 1


@pytest.mark.parametrize(("planned", "counted"), [(0, 0), (4, 1)])
def test_a_run_without_planned_samples_is_not_counted(planned: int, counted: int) -> None:
    gate = CalibratedGate(calibration(), foreign=False, watch=RateWatch((0.4, 0.6)))
    uncertainty = Uncertainty(
        measure="consensus",
        value=None,
        threshold=1.0,
        votes=[],
        samples=planned,
        planned=planned,
        orders_agree=None,
        contested=[],
    )
    gate.saw("direct", uncertainty)
    assert gate.watch.n == counted
