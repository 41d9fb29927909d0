"""Tests for the verl reward function: a missing reward is an error or a marked replacement."""

import asyncio
import inspect
from typing import Any

import pytest

from egrm_graph.errors import InputError, RunError
from egrm_graph.integrations.verl_reward import as_async_verl_reward, as_verl_reward
from tests.integrations.judges import judging

ASKED: dict[str, Any] = {"data_source": "sums", "ground_truth": "56", "extra_info": {"question": "17+48-9", "index": 3}}


def grading(**options: Any) -> Any:
    return judging("pointwise", lambda text: text == "56", **options)


def test_a_response_is_graded_sync_and_async() -> None:
    for solution, score in (("56", 1.0), ("57", 0.0)):
        asked: Any = {**ASKED, "solution_str": solution, "reward_router_address": "not ours"}
        assert as_verl_reward(grading())(**asked) == {"score": score, "judged": 1.0}
        assert asyncio.run(as_async_verl_reward(grading())(**asked)) == {"score": score, "judged": 1.0}


def test_verl_recognizes_the_coroutine_function() -> None:
    graph = grading()
    # Its reward managers use this to decide whether to await a score or to compute it in a thread.
    rewards = (as_verl_reward(graph), as_async_verl_reward(graph))
    assert [inspect.iscoroutinefunction(reward) for reward in rewards] == [False, True]


@pytest.mark.parametrize("solution", ["56", ""])
def test_a_missing_reward_raises_with_its_reason(solution: str) -> None:
    graph = grading(lost="17+48-9")
    with pytest.raises(RunError, match="the server is away" if solution else "it is empty"):
        as_verl_reward(graph)(solution_str=solution, **ASKED)
    with pytest.raises(RunError, match="the server is away" if solution else "it is empty"):
        asyncio.run(as_async_verl_reward(graph)(solution_str=solution, **ASKED))


def test_the_replacement_of_a_missing_reward_is_marked() -> None:
    assert as_verl_reward(grading(), missing=-1.0)(solution_str="", **ASKED) == {"score": -1.0, "judged": 0.0}


def test_a_data_set_without_questions_is_refused() -> None:
    with pytest.raises(InputError, match="extra_info has no 'question', only 'index'"):
        as_verl_reward(grading(), missing=0.0)("sums", "56", "56", {"index": 3})
