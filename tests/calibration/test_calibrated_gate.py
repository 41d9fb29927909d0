"""Runs under a calibrated gate, through the graph."""

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
from egrm_graph.settings import BUNDLED_MODEL
from egrm_graph.verification import Uncertainty
from tests.calibrations import calibration, written

SURE, UNSURE = ["7"] * 4, ["7", "8", "7", "8"]
SEVEN, EIGHT = "3+4=7;#7", "3+4=8;#8"


def client(fast: Sequence[str], paths: Sequence[str] = (SEVEN,) * 4, name: str = BUNDLED_MODEL) -> ScriptedClient:
    return ScriptedClient(fast=list(fast), paths=list(paths), name=name)


async def told(file: Path, given: ScriptedClient, context: RunSettings | None = None) -> Verification:
    graph = build_graph(Settings(calibration=file), client=given, scorer=None)
    found: Verification = (await graph.ainvoke({"question": "3+4"}, context=context))["verification"]
    return found


async def test_the_gate_is_that_of_the_calibration(tmp_path: Path) -> None:
    found = await told(written(tmp_path), client(SURE))
    gate = found["uncertainty"]
    assert (gate["measure"], gate["samples"], gate["threshold"]) == ("consensus", 4, 1.0)
    assert (found["route"], found["answer"], found["confidence"], found["calibrated"]) == ("direct", "7", 0.97, True)


async def test_of_votes_that_were_decided_early_only_that_they_open_the_gate_is_known(tmp_path: Path) -> None:
    """Three of four agree already: nothing can shut a gate at 0.75. It opens from there on: right in 0.6 and 0.9."""
    file = written(tmp_path, threshold=0.75, fast_right=((0.5, 0.1, 10), (0.75, 0.6, 20), (1.0, 0.9, 40)))
    found = await told(file, client(SURE))
    assert (found["uncertainty"]["samples"], found["route"]) == (3, "direct")
    assert found["confidence"] == pytest.approx((0.6 * 20 + 0.9 * 40) / 60)
    whole = build_graph(Settings(calibration=file, stopping="all"), client=client(SURE), scorer=None)
    assert (await whole.ainvoke({"question": "3+4"}))["verification"]["confidence"] == 0.9


async def test_a_rule_that_may_stop_at_another_route_keeps_no_promise(tmp_path: Path) -> None:
    with pytest.warns(CalibrationWarning, match="all votes, not those until the rule 'beta' stops"):
        build_graph(Settings(calibration=written(tmp_path), stopping="beta"), client=client(SURE), scorer=None)


async def test_a_reasoned_answer_has_its_own_probability(tmp_path: Path) -> None:
    found = await told(written(tmp_path), client(UNSURE, [SEVEN, SEVEN, SEVEN, EIGHT]))
    assert (found["route"], found["confidence"], found["calibrated"]) == ("reasoned", 0.8, True)


async def test_a_run_with_another_gate_is_not_calibrated(tmp_path: Path) -> None:
    found = await told(written(tmp_path), client(SURE), RunSettings(threshold=0.5))
    assert (found["route"], found["confidence"], found["calibrated"]) == ("direct", 1.0, None)


async def test_where_paths_gave_no_answer_the_votes_have_no_calibrated_confidence(tmp_path: Path) -> None:
    found = await told(written(tmp_path), client(UNSURE, ["?"] * 4))
    assert (found["status"], found["confidence"], found["calibrated"]) == ("degraded", 0.5, None)


ABSTENTION = Abstention(below=0.75, target_risk=0.1, questions=100, answered=80, wrong=2)


@pytest.mark.parametrize(
    ("paths", "status", "confidence", "reason"),
    [
        ([SEVEN, SEVEN, SEVEN, EIGHT], "ok", 0.8, None),
        ([SEVEN, SEVEN, EIGHT, EIGHT], "abstained", 0.3, "its confidence is 0.5, below the calibration's 0.75"),
        (["?"] * 4, "abstained", 0.5, "it has no confidence of the kind that was calibrated"),
    ],
)
async def test_a_reasoned_answer_below_the_abstention_is_withheld(
    tmp_path: Path, paths: list[str], status: str, confidence: float, reason: str | None
) -> None:
    found = await told(written(tmp_path, abstention=ABSTENTION), client(UNSURE, paths))
    assert (found["status"], found["confidence"]) == (status, confidence)
    assert (found["answer"], found["best_guess"]) == (("7", None) if reason is None else (None, "7"))
    assert reason is None or found["reasons"][-1] == f"the answer was withheld: {reason}"


async def test_a_direct_answer_is_never_withheld(tmp_path: Path) -> None:
    found = await told(written(tmp_path, abstention=ABSTENTION), client(SURE))
    assert (found["status"], found["answer"]) == ("ok", "7")


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
        found = await told(written(tmp_path, **changes), client(SURE))
    assert (found["uncertainty"]["samples"], found["confidence"], found["calibrated"]) == (4, 1.0, None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"samples": 5}, "samples=5 contradicts the calibration .* whose gate has 4"),
        ({"threshold": 0.8}, "threshold=0.8 contradicts"),
        ({"measure": "vote_entropy"}, "measure='vote_entropy' contradicts"),
    ],
)
def test_a_setting_that_contradicts_the_calibration_is_an_error(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        build_graph(Settings(calibration=written(tmp_path), **given), client=client(SURE), scorer=None)


def test_verdicts_that_are_read_from_probabilities_are_not_those_that_were_calibrated(tmp_path: Path) -> None:
    settings = Settings(task="pairwise", calibration=written(tmp_path, task="pairwise"))
    reads = ScriptedClient(labels={"A": -0.1}, name=BUNDLED_MODEL)
    with pytest.raises(SettingsError, match=r"label_probabilities='auto' reads verdicts .* set it to 'never'"):
        build_graph(settings, client=reads, scorer=None)


def test_a_setting_that_says_the_same_is_none(tmp_path: Path) -> None:
    build_graph(Settings(calibration=written(tmp_path), samples=4), client=client(SURE), scorer=None)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`egrm calibrate` makes one"):
        build_graph(Settings(calibration=tmp_path / "nowhere.json"), client=client(SURE), scorer=None)


async def test_a_share_of_direct_runs_that_departs_warns_once(tmp_path: Path) -> None:
    graph = build_graph(Settings(calibration=written(tmp_path)), client=client(SURE), scorer=None)
    with pytest.warns(CalibrationWarning, match="of [0-9]+ runs so far took the direct route") as caught:
        await graph.abatch([{"question": "3+4"}] * 40)
    assert len(caught) == 1


@pytest.mark.parametrize(("planned", "counted"), [(0, 0), (4, 1)])
def test_a_run_that_had_nothing_to_draw_is_not_counted(planned: int, counted: int) -> None:
    gate = CalibratedGate(calibration(), foreign=False, watch=RateWatch((0.4, 0.6)))
    seen = Uncertainty(
        measure="consensus",
        value=None,
        threshold=1.0,
        votes=[],
        samples=planned,
        planned=planned,
        orders_agree=None,
        contested=[],
    )
    gate.saw("direct", seen)
    assert gate.watch.n == counted
