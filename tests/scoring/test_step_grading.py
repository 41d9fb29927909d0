"""Paths graded by their steps: what the settings mean, what each path gets, and what is a probability."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import ServerError, SettingsError
from egrm_graph.parts import assemble
from egrm_graph.reasons import texts
from egrm_graph.scoring.aggregate_calibration import AggregateCalibration
from egrm_graph.scoring.function_scorer import FunctionScorer
from egrm_graph.scoring.grading import grade
from egrm_graph.scoring.scorer import Scorer, StepScorer, Unscored
from egrm_graph.scoring.step_grading import StepGrading, step_grading
from egrm_graph.scoring.step_profile import StepProfile
from egrm_graph.settings import BUNDLED_MODEL, RunSettings
from egrm_graph.verification import Path
from tests.scoring.test_grading import path

TORN = ["1", "2", "3", "4", "5"]
BY_MINIMUM = StepProfile(";", "minimum")
CALIBRATION = AggregateCalibration(
    steps=";",
    aggregation="minimum",
    slope=2,
    intercept=0,
    questions=1,
    paths=1,
    ece_before=0,
    ece_after=0,
    brier_before=0,
    brier_after=0,
)
PRODUCT = StepGrading(";", "product")


def half(question: str, path: str) -> float:
    return 0.5


class ByStep:
    """Reads the score of each step at its start, such as 0.5 in `0.5 17+48=65;`."""

    name = "by step"
    calibrated = True

    def __init__(self, profile: StepProfile | None = None) -> None:
        self.step_profile = profile or BY_MINIMUM
        self.asked: list[tuple[str, list[str], list[list[int]]]] = []

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [0.99 for _ in paths]

    async def score_steps(
        self, question: str, paths: Sequence[str], ends: Sequence[Sequence[int]]
    ) -> list[list[float] | Unscored]:
        self.asked.append((question, list(paths), [list(each) for each in ends]))
        return [_scores(text, of_path) for text, of_path in zip(paths, ends, strict=True)]

    async def aclose(self) -> None: ...


def _scores(text: str, ends: Sequence[int]) -> list[float] | Unscored:
    steps = [text[start:end] for start, end in zip((0, *ends), ends, strict=False)]
    if "?" in text:
        return Unscored("it has a question mark")
    return [float(step.split()[0]) for step in steps]


def written(text: str, thinking: str | None = None) -> Path:
    return {**path(), "text": text, "thinking": thinking}


async def graded(
    scorer: Scorer, *paths: Path, steps: StepGrading = PRODUCT, timeout_s: float = 5
) -> tuple[list[Path], list[str]]:
    pairs = [("q", "\n\n".join(filter(None, (each["thinking"], each["text"])))) for each in paths]
    found, reasons = await grade(scorer, pairs, paths, timeout_s, steps=steps)
    return found, texts(reasons)


async def test_a_path_gets_the_score_of_each_step_and_their_aggregate() -> None:
    (found,), reasons = await graded(ByStep(), written("0.5 a;0.9 b;0.8 #c"))
    assert found.get("steps") == [{"end": 6, "score": 0.5}, {"end": 12, "score": 0.9}, {"end": 18, "score": 0.8}]
    assert found["score"] == found.get("aggregate") == pytest.approx(0.36)
    assert (found["unscored"], reasons) == (None, [])


async def test_an_aggregate_is_reported_as_it_was_before_calibration() -> None:
    halved = CALIBRATION.model_copy(update={"aggregation": "product", "slope": 1.0, "intercept": math.log(0.5)})
    grading = StepGrading(";", "product", StepProfile(calibration=halved))
    (found,), _ = await graded(ByStep(), written("0.5 a;1.0 b"), steps=grading)
    assert found.get("aggregate") == 0.5
    assert found["score"] == pytest.approx(1 / 3)  # odds of 1, halved


@pytest.mark.parametrize(("aggregation", "expected"), [("minimum", 0.5), ("mean", 0.7), ("last", 0.8)])
async def test_the_aggregation_is_the_one_chosen(aggregation: str, expected: float) -> None:
    steps = StepGrading(";", aggregation)
    (found,), _ = await graded(ByStep(), written("0.5 a;0.8 b"), steps=StepGrading(";", aggregation))
    assert found["score"] == pytest.approx({"minimum": 0.5, "mean": 0.65, "last": 0.8}[aggregation])
    (longer,), _ = await graded(ByStep(), written("0.5 a;0.8 b;0.8 c"), steps=steps)
    assert longer["score"] == pytest.approx(expected)


async def test_thinking_counts_as_text_and_comes_first() -> None:
    scorer = ByStep()
    (found,), _ = await graded(scorer, written("0.8 #c", thinking="0.5 a;0.9 b;"))
    # twelve characters of thinking, an empty line, and six characters; its last step ends with the first ";"
    assert found.get("steps") == [{"end": 6, "score": 0.5}, {"end": 12, "score": 0.9}, {"end": 20, "score": 0.8}]
    assert scorer.asked == [("q", ["0.5 a;0.9 b;\n\n0.8 #c"], [[6, 12, 20]])]


async def test_a_path_without_scores_for_its_steps_has_no_score_and_the_others_keep_theirs() -> None:
    found, reasons = await graded(ByStep(), written("? a;"), {**written("0.5 b"), "answer": None}, written("0.5 c"))
    assert [(each["score"], each.get("steps"), each["unscored"]) for each in found] == [
        (None, None, "it has a question mark"),
        (None, None, "no answer could be read"),
        (0.5, [{"end": 5, "score": 0.5}], None),
    ]
    assert reasons == ["path 0 unscored: it has a question mark"]


@pytest.mark.parametrize("wrong", ["nan", "1.5", "-0.1"])
async def test_a_step_with_a_number_outside_0_and_1_makes_its_path_unscored(wrong: str) -> None:
    (found,), _ = await graded(ByStep(), written(f"0.5 a;{wrong} b"))
    assert (found["score"], found.get("steps")) == (None, None)
    assert found["unscored"] == f"the scorer gave {float(wrong)}, which is not in [0, 1]"


class TooFew(ByStep):
    async def score_steps(self, question: Any, paths: Any, ends: Any) -> list[list[float] | Unscored]:
        return [[0.5]]


class Gone(ByStep):
    async def score_steps(self, question: Any, paths: Any, ends: Any) -> list[list[float] | Unscored]:
        raise ServerError("gone")


class Slow(ByStep):
    async def score_steps(self, question: Any, paths: Any, ends: Any) -> list[list[float] | Unscored]:
        await asyncio.sleep(60)
        return []


@pytest.mark.parametrize(
    ("scorer", "reason"),
    [
        (TooFew(), "the scorer gave 1 scores for 2 steps"),
        (Gone(), "gone"),
        (Slow(), "no score within 0.05 s"),
    ],
)
async def test_a_scorer_that_fails_leaves_no_scores_of_steps(scorer: Scorer, reason: str) -> None:
    (found,), _ = await graded(scorer, written("0.5 a;0.5 b"), timeout_s=0.05)
    assert (found["score"], found.get("steps"), found["unscored"]) == (None, None, reason)


async def test_a_text_that_the_task_rewrites_has_no_steps() -> None:
    scorer = ByStep()
    (found,), _ = await grade(scorer, [("q", "something else")], [written("0.5 a;")], 5, steps=PRODUCT)
    assert found["score"] is None
    assert found["unscored"] is not None
    assert "another text than the model wrote" in found["unscored"]


def test_auto_takes_the_steps_and_the_aggregation_that_the_scorer_names() -> None:
    assert step_grading(ByStep(), "auto", "auto") == StepGrading(";", "minimum", BY_MINIMUM)
    assert step_grading(ByStep(), "auto", "mean") == StepGrading(";", "mean", BY_MINIMUM)
    assert step_grading(ByStep(), "lines", "auto") == StepGrading("lines", "minimum", BY_MINIMUM)
    assert step_grading(ByStep(StepProfile()), "lines", "auto") == StepGrading("lines", "product")


@pytest.mark.parametrize("scorer", [None, FunctionScorer(half), ByStep(StepProfile())])
def test_auto_scores_full_paths_with_a_scorer_that_was_not_trained_on_steps(scorer: Scorer | None) -> None:
    assert step_grading(scorer, "auto", "auto") is None


def test_none_scores_full_paths_with_any_scorer() -> None:
    assert step_grading(ByStep(), "none", "auto") is None


@pytest.mark.parametrize(
    ("scorer", "steps", "aggregation", "message"),
    [
        (
            None,
            "lines",
            "auto",
            r"steps='lines' needs .* steps, and the graph has no scorer; set scorer",
        ),
        (FunctionScorer(half), ";", "auto", r"steps=';' .* the scorer half only scores full paths; set scorer"),
        (ByStep(StepProfile(flaw="it is an encoder")), "lines", "auto", "by step cannot score steps: it is an encoder"),
        (ByStep(), "(", "auto", r"'\(' says where steps end, and is neither one of lines, sentences nor a regular"),
        (ByStep(StepProfile()), "auto", "mean", "aggregation='mean' combines the scores of steps, and no steps are"),
        (None, "auto", "last", "aggregation='last' combines"),
    ],
)
def test_settings_that_do_not_fit_the_scorer_fail_with_the_fix(
    scorer: Scorer | None, steps: str, aggregation: Any, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        step_grading(scorer, steps, aggregation)
    settings = Settings(task="arithmetic", steps=steps, aggregation=aggregation)
    with pytest.raises(SettingsError, match=message):  # when the graph is built
        assemble(settings, ScriptedClient(fast=TORN), scorer)


def test_an_unknown_aggregation_is_refused_at_once() -> None:
    median: dict[str, Any] = {"aggregation": "median"}
    with pytest.raises(ValueError, match=r"'median'|median"):
        Settings(**median)


async def verify(scorer: Scorer, *texts_: str, **settings: Any) -> Verification:
    client = ScriptedClient(fast=TORN, paths=list(texts_))
    settings = {"task": "arithmetic", "paths": len(texts_), "stopping": "all", **settings}
    graph = build_graph(Settings(**settings), client=client, scorer=scorer)
    verification: Verification = (await graph.ainvoke({"question": "17+48"}))["verification"]
    return verification


async def test_every_rule_decides_by_the_aggregate() -> None:
    paths = ("0.9 17+48=65;0.9 #65", "0.2 17+48=66;1.0 #66")
    by_product = await verify(ByStep(), *paths, steps=";", selection="best_score")
    assert (by_product["answer"], by_product["confidence"]) == ("65", 0.9)
    by_last = await verify(ByStep(), *paths, steps=";", selection="best_score", aggregation="last")
    assert (by_last["answer"], by_last["confidence"]) == ("66", 1.0)


async def test_an_aggregate_is_a_probability_only_if_it_was_calibrated() -> None:
    text = "0.99 17+48=65;0.99 #65"
    plain = await verify(ByStep(), text, text, text)
    assert (plain["calibrated"], len(plain["paths"])) == (False, 3)  # it stops early only by probabilities
    # sigmoid(2 logit(0.99)) = 0.99 ** 2 / (0.99 ** 2 + 0.01 ** 2)
    calibrated = await verify(ByStep(replace(BY_MINIMUM, calibration=CALIBRATION)), text, text, text)
    assert (calibrated["calibrated"], len(calibrated["paths"])) == (True, 1)
    assert calibrated["confidence"] == pytest.approx(0.9801 / 0.9802)
    assert calibrated["paths"][0].get("steps") == [{"end": 14, "score": 0.99}, {"end": 22, "score": 0.99}]
    full = await verify(ByStep(), text, text, text, steps="none")
    assert (full["calibrated"], len(full["paths"])) == (True, 1)  # the scorer says that of its own scores
    assert [each.get("steps") for each in full["paths"]] == [None]


def test_stopping_by_probabilities_is_refused_for_an_aggregate_that_is_none() -> None:
    settings = Settings(task="arithmetic", path_stopping="posterior")
    message = r"the minimum of the step scores of by step is not calibrated; set steps to 'none' \(--steps none\), or"
    with pytest.raises(SettingsError, match=message):
        assemble(settings, ScriptedClient(fast=TORN), ByStep())
    with pytest.raises(SettingsError, match="nothing here calibrates them"):
        assemble(Settings(task="arithmetic", min_confidence=0.5), ScriptedClient(fast=TORN), ByStep())


async def test_a_run_may_choose_other_steps_than_the_graph() -> None:
    client = ScriptedClient(fast=TORN, paths=["0.5 17+48=65\n0.9 #65"] * 2)
    scorer = ByStep(StepProfile())
    graph = build_graph(Settings(task="arithmetic", paths=2, path_stopping="all"), client=client, scorer=scorer)
    full = (await graph.ainvoke({"question": "17+48"}))["verification"]
    lines = (await graph.ainvoke({"question": "17+48"}, context=RunSettings(steps="lines")))["verification"]
    assert [each["score"] for each in full["paths"]] == [0.99, 0.99]
    assert [each["score"] for each in lines["paths"]] == [0.45, 0.45]
    assert lines["calibrated"] is False


async def test_the_bundled_scorer_stays_calibrated_if_its_last_step_decides() -> None:
    client = ScriptedClient(fast=TORN, paths=["17+48=65;65-9=56;#56", "17+48=65;65-9=57;#57"], name=BUNDLED_MODEL)
    settings = Settings(steps=";", aggregation="last", paths=2, path_stopping="all")
    run = (await build_graph(settings, client=client).ainvoke({"question": "17+48-9"}))["verification"]
    plain = Settings(paths=2, path_stopping="all")
    client = ScriptedClient(fast=TORN, paths=["17+48=65;65-9=56;#56", "17+48=65;65-9=57;#57"], name=BUNDLED_MODEL)
    full = (await build_graph(plain, client=client).ainvoke({"question": "17+48-9"}))["verification"]
    assert run["calibrated"] is True
    assert [each["score"] for each in run["paths"]] == pytest.approx(
        [each["score"] for each in full["paths"]], abs=1e-6
    )
    assert [len(each.get("steps") or ()) for each in run["paths"]] == [3, 3]


def test_the_fake_is_a_scorer_of_steps() -> None:
    assert isinstance(ByStep(), StepScorer)
