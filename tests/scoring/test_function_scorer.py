"""Plain functions as scorers."""

import asyncio
import functools
import math
import threading
import time
from collections.abc import Awaitable
from typing import Any

import numpy as np
import pytest

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.extensions import as_scorer
from egrm_graph.scoring.function_scorer import FunctionScorer
from egrm_graph.scoring.scorer import Scorer, Unscored

RIGHT, WRONG = "17+48=65;65-9=56;#56", "17+48=66;66-9=57;#57"


def ends_in_56(question: str, path: str) -> float:
    return 0.9 if path.endswith("56") else 0.2


async def ends_in_56_later(question: str, path: str) -> float:
    await asyncio.sleep(0.01)
    return ends_in_56(question, path)


class Grader:
    """A callable object."""

    def __call__(self, question: str, path: str) -> float:
        return ends_in_56(question, path)


class Later:
    def grade(self, question: str, path: str) -> Awaitable[float]:
        return ends_in_56_later(question, path)


def three(question: str, path: str, weight: float) -> float:
    return weight * ends_in_56(question, path)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (ends_in_56, "ends_in_56"),
        (ends_in_56_later, "ends_in_56_later"),
        (lambda question, path: 0.9 if path.endswith("56") else 0.2, "<lambda>"),
        (Grader(), "Grader"),
        (functools.partial(three, weight=1.0), "three"),
    ],
)
async def test_a_function_scores_each_path(function: Any, name: str) -> None:
    scorer = as_scorer(function)
    assert isinstance(scorer, Scorer)
    assert (scorer.name, scorer.calibrated) == (name, False)
    assert await scorer.score("17+48-9", [WRONG, RIGHT]) == [0.2, 0.9]
    assert await scorer.score("17+48-9", []) == []
    await scorer.aclose()


def test_a_scorer_is_returned_unchanged() -> None:
    scorer = FunctionScorer(ends_in_56)
    assert as_scorer(scorer) is scorer


def odd_score(question: str, path: str) -> Any:
    if path == "error":
        raise KeyError("x" * 200)
    return {"high": 1.5, "nan": math.nan, "none": None, "text": "0.5", "list": [0.5], "matrix": np.ones(2)}.get(path, 1)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("high", "returned 1.5, which is not in [0, 1]"),
        ("nan", "returned nan, which is not in [0, 1]"),
        ("none", "returned None, which is not a number"),
        ("text", "returned '0.5', which is not a number"),
        ("list", "returned [0.5], which is not a number"),
        ("error", f"raised KeyError: '{'x' * 69}..."),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_an_invalid_score_affects_only_its_path(path: str, problem: str, is_async: bool) -> None:
    async def odd_score_later(question: str, path: str) -> Any:
        return odd_score(question, path)

    scorer = FunctionScorer(odd_score_later if is_async else odd_score)
    assert await scorer.score("1+1", ["good", path, "good"]) == [
        1.0,
        Unscored(f"the scorer {scorer.name} {problem}"),
        1.0,
    ]


async def test_an_array_is_not_a_score() -> None:
    (score,) = await FunctionScorer(odd_score).score("1+1", ["matrix"])
    assert isinstance(score, Unscored)


@pytest.mark.parametrize("score", [np.float32(0.5), np.float64(0.5), True, 0])
async def test_any_number_from_0_to_1_is_a_score(score: Any) -> None:
    assert await FunctionScorer(lambda question, path: score).score("1+1", ["1"]) == [float(score)]


async def test_a_sync_function_runs_in_threads_off_the_event_loop() -> None:
    threads = set[int]()

    def slow(question: str, path: str) -> float:
        threads.add(threading.get_ident())
        time.sleep(0.1)
        return 0.5

    loop_ran = asyncio.create_task(asyncio.sleep(0.01))
    started = time.monotonic()
    assert await FunctionScorer(slow).score("1+1", ["1", "2", "3"]) == [0.5] * 3
    assert time.monotonic() - started < 0.25
    assert loop_ran.done()
    assert threading.get_ident() not in threads


async def test_a_sync_function_that_returns_an_awaitable_is_awaited() -> None:
    scorer = FunctionScorer(Later().grade)
    assert await scorer.score("1+1", [RIGHT]) == [0.9]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda path: 0.5, "def score(question: str, path: str) -> float"),
        (three, "def three(question: str, path: str) -> float"),
    ],
)
def test_a_function_with_other_arguments_is_refused_with_the_expected_signature(function: Any, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        build_graph(Settings(task="answer"), client=ScriptedClient(fast=[]), scorer=function)
    assert expected in str(caught.value)


def test_a_class_is_refused() -> None:
    grader: Any = Grader
    with pytest.raises(SettingsError, match="scorer is the class Grader; pass an instance"):
        as_scorer(grader)


async def verify(scorer: Any, paths: list[Any]) -> Verification:
    client = ScriptedClient(fast=["57", "56", "57", "56", "57"], paths=paths)
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=scorer)
    verification: Verification = (await graph.ainvoke({"question": "17+48-9"}))["verification"]
    return verification


@pytest.mark.parametrize("function", [ends_in_56, ends_in_56_later])
async def test_a_graph_uses_the_scores_of_a_function(function: Any) -> None:
    outcome = await verify(function, [WRONG, RIGHT, WRONG, WRONG])
    assert (outcome["answer"], outcome["best_path"], outcome["confidence"]) == ("56", 1, 0.9)
    assert (outcome["status"], outcome["calibrated"]) == ("ok", False)
    assert [path["score"] for path in outcome["paths"]] == [0.2, 0.9, 0.2, 0.2]


async def test_a_path_whose_call_fails_is_reported_and_the_others_decide() -> None:
    def picky(question: str, path: str) -> float:
        if path == RIGHT:
            raise TimeoutError("no answer from the grader")
        return 0.2

    outcome = await verify(picky, [WRONG, RIGHT, WRONG, WRONG])
    reason = "the scorer picky raised TimeoutError: no answer from the grader"
    assert (outcome["answer"], outcome["status"]) == ("57", "degraded")
    assert (outcome["paths"][1]["score"], outcome["paths"][1]["unscored"]) == (None, reason)
    assert outcome["reasons"] == [f"path 1 unscored: {reason}"]


def test_a_sync_run_accepts_an_async_function() -> None:
    client = ScriptedClient(fast=["57", "56", "57", "56", "57"], paths=[WRONG, RIGHT, WRONG, WRONG])
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=ends_in_56_later)
    assert graph.invoke({"question": "17+48-9"})["verification"]["answer"] == "56"
