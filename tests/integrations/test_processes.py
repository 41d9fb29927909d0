"""Tests that reward functions work in other processes, and that each process builds its own graph."""

import asyncio
import inspect
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from aiohttp import web
from trl.trainer.utils import get_callable_name, is_async_callable

from egrm_graph import Settings
from egrm_graph.errors import SettingsError
from egrm_graph.integrations.judge import Judge
from egrm_graph.integrations.trl_reward import as_async_trl_reward, as_trl_reward
from egrm_graph.integrations.verl_reward import as_async_verl_reward, as_verl_reward
from tests.clients.fake_server import FakeServer, Seen, answer
from tests.integrations.judges import judging

GRADES, RANKS = Settings(task="pointwise"), Settings(task="best_of_n")
REWARDS: dict[str, Callable[[], Any]] = {
    "trl": partial(as_trl_reward, RANKS, name="best"),
    "async trl": partial(as_async_trl_reward, RANKS, name="best"),
    "verl": partial(as_verl_reward, GRADES),
    "async verl": partial(as_async_verl_reward, GRADES),
}


async def grade(seen: Seen) -> web.Response:
    text = "\n".join(message["content"] for message in seen.body["messages"])
    return web.json_response(answer(*["5" if "\n56\n[end of candidate" in text else "1"] * seen.body["n"]))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("start", ["spawn", "fork"])
async def test_another_process_returns_the_same_rewards(start: str) -> None:
    async with FakeServer(grade).running() as server:
        settings = GRADES.model_copy(
            update={"engine": "vllm", "model": "tiny", "base_url": (server.url,), "label_probabilities": "never"}
        )
        compute_score = as_verl_reward(settings)
        calls: list[Callable[[], Any]] = [
            partial(as_trl_reward(settings, among="none"), prompts=["17+48-9"] * 2, completions=["56", "57"]),
            partial(compute_score, "sums", "56", "56", {"question": "17+48-9"}),  # as verl's `prime` calls it
            partial(compute_score, "sums", "57", "56", {"question": "17+48-9"}),
        ]

        def run() -> tuple[list[Any], list[Any]]:
            here = [call() for call in calls]
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(start)) as pool:
                return here, [future.result(timeout=100) for future in [pool.submit(call) for call in calls]]

        here, there = await asyncio.to_thread(run)
    assert here == there == [[1.0, 0.0], {"score": 1.0, "judged": 1.0}, {"score": 0.0, "judged": 1.0}]
    assert [score[0] for score in there[1:]] == [1.0, 0.0]  # as `prime` reads it


@pytest.mark.parametrize("library", ["pickle", "cloudpickle"])
@pytest.mark.parametrize("name", REWARDS)
def test_what_a_trainer_inspects_survives_pickling(name: str, library: str) -> None:
    original, pickler = REWARDS[name](), import_module(library)
    reward = pickler.loads(pickler.dumps(original))
    asynchronous = name.startswith("async")
    assert inspect.iscoroutinefunction(reward) is asynchronous  # verl, and TRL before 1.16
    assert is_async_callable(reward) is asynchronous
    assert get_callable_name(reward) == reward.__name__ == ("compute_score" if "verl" in name else "best")


@pytest.mark.parametrize("make", [as_trl_reward, as_async_trl_reward, as_verl_reward, as_async_verl_reward])
def test_a_graph_cannot_be_pickled(make: Callable[[Any], Any]) -> None:
    with pytest.raises(SettingsError, match="make the reward function from Settings"):
        pickle.dumps(make(judging("pointwise", bool)))


def test_a_process_builds_one_graph_for_equal_settings() -> None:
    assert Judge(GRADES).graph is pickle.loads(pickle.dumps(Judge(Settings(task="pointwise")))).graph
    assert Judge(GRADES).graph is not Judge(RANKS).graph


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(as_trl_reward, Settings(task="answer")), "does not judge candidates"),
        (partial(as_trl_reward, GRADES), "among='none' grades each on its own"),
        (partial(as_async_trl_reward, RANKS, among="none"), "among='group' compares completions"),
        (partial(as_verl_reward, Settings(task="arithmetic")), "does not judge candidates"),
        (partial(as_async_verl_reward, RANKS), "verl has one at a time: task='pointwise'"),
    ],
)
def test_settings_that_cannot_judge_are_refused_before_a_model_is_loaded(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()
