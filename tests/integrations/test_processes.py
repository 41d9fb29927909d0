"""Reward functions work in another process, as trainers send them there; each builds its graph from its settings."""

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
MADE: dict[str, Callable[[], Any]] = {
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
async def test_rewards_in_another_process_are_those_of_this_one(start: str) -> None:
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
                return here, [each.result(timeout=100) for each in [pool.submit(call) for call in calls]]

        here, there = await asyncio.to_thread(run)
    assert here == there == [[1.0, 0.0], {"score": 1.0, "judged": 1.0}, {"score": 0.0, "judged": 1.0}]
    assert [score[0] for score in there[1:]] == [1.0, 0.0]  # as `prime` reads it


@pytest.mark.parametrize("library", ["pickle", "cloudpickle"])
@pytest.mark.parametrize("name", MADE)
def test_what_a_trainer_sees_of_it_survives_pickling(name: str, library: str) -> None:
    made, pickler = MADE[name](), import_module(library)
    reward = pickler.loads(pickler.dumps(made))
    asynchronous = name.startswith("async")
    assert inspect.iscoroutinefunction(reward) is asynchronous  # verl, and TRL before 1.16
    assert is_async_callable(reward) is asynchronous
    assert get_callable_name(reward) == reward.__name__ == ("compute_score" if "verl" in name else "best")


@pytest.mark.parametrize("made", [as_trl_reward, as_async_trl_reward, as_verl_reward, as_async_verl_reward])
def test_a_graph_cannot_be_sent(made: Callable[[Any], Any]) -> None:
    with pytest.raises(SettingsError, match="make the reward function from Settings"):
        pickle.dumps(made(judging("pointwise", bool)))


def test_one_process_builds_one_graph_of_the_same_settings() -> None:
    assert Judge(GRADES).graph is pickle.loads(pickle.dumps(Judge(Settings(task="pointwise")))).graph
    assert Judge(GRADES).graph is not Judge(RANKS).graph


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (partial(as_trl_reward, Settings(task="answer")), "judges no candidates"),
        (partial(as_trl_reward, GRADES), "among='none' grades each alone"),
        (partial(as_async_trl_reward, RANKS, among="none"), "among='group' compares completions"),
        (partial(as_verl_reward, Settings(task="arithmetic")), "judges no candidates"),
        (partial(as_async_verl_reward, RANKS), "verl has one at a time: task='pointwise'"),
    ],
)
def test_settings_that_cannot_judge_are_refused_before_a_model_is_loaded(made: Callable[[], Any], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        made()
