from typing import Any

import pytest
from langchain_core.messages import AIMessage
from pydantic import ValidationError

from egrm_graph import RunSettings, Settings, build_graph
from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.clients.client import OPTIONS, Client, Sampling
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.drawing.sampling import require_options, sampling_of
from egrm_graph.errors import SettingsError
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_MODEL
from tests.clients.asking import sent
from tests.clients.test_chat_model import Model, draw

NEUTRAL = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
SET: dict[str, Any] = {
    "top_k": 20,
    "min_p": 0.05,
    "repetition_penalty": 1.05,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
}


class Wide(Model):
    top_k: int | None = 40
    repeat_penalty: float | None = 1.1


def test_each_stage_has_its_own_options() -> None:
    settings = RunSettings(fast_top_k=20, path_top_k=40, path_min_p=0.1, path_thinking_tokens=9)
    assert sampling_of(settings, "fast") == Sampling(1.0, 64, thinking="off", top_k=20)
    assert sampling_of(settings, "path") == Sampling(1.0, 2048, top_k=40, min_p=0.1, thinking_tokens=9)


@pytest.mark.parametrize("name", SET)
async def test_a_vllm_server_gets_each_option_that_is_set(name: str) -> None:
    body = await sent(Sampling(temperature=1, max_tokens=8, **{name: SET[name]}))
    assert {option: body[option] for option in NEUTRAL} == {**NEUTRAL, name: SET[name]}


async def test_a_vllm_server_gets_neutral_values_for_unset_options() -> None:
    """Otherwise the model's generation_config.json would apply, and `top_k=1` there makes all samples equal."""
    body = await sent(Sampling(temperature=1, max_tokens=8))
    assert {option: body[option] for option in NEUTRAL} == NEUTRAL


async def test_a_chat_model_gets_the_options_that_its_class_declares() -> None:
    received: list[tuple[object, ...]] = []

    def answer(model: Model) -> AIMessage:
        assert isinstance(model, Wide)
        received.append((model.top_k, model.repeat_penalty))
        return AIMessage("56")

    client = ChatModelClient(Wide(answer=answer))
    await draw(client, top_k=20, repetition_penalty=1.05)
    await draw(client)
    assert received == [(20, 1.05), (40, 1.1)]
    assert sorted(client.sampling_options) == ["repetition_penalty", "top_k", "top_p"]


def embedded() -> Client:
    return EmbeddedClient.load(bundled(BUNDLED_MODEL))


def chat_model() -> Client:
    return ChatModelClient(Model(answer=lambda _: AIMessage("56")))


@pytest.mark.parametrize("client", [embedded, chat_model])
@pytest.mark.parametrize("name", SET)
def test_an_option_that_the_client_would_ignore_is_refused(client: Any, name: str) -> None:
    with pytest.raises(SettingsError, match=rf"path_{name} is {SET[name]}, and .* does not take {name};"):
        require_options(RunSettings(**{f"path_{name}": SET[name]}), client())


def test_it_is_refused_at_build_time_and_in_a_run_override() -> None:
    with pytest.raises(SettingsError, match="fast_top_k is 20"):
        build_graph(Settings(fast_top_k=20))
    with pytest.raises(SettingsError, match="fast_top_k is 20"):
        build_graph().invoke({"question": "17+48"}, context=RunSettings(fast_top_k=20))


@pytest.mark.parametrize("client", [ServerClient("tiny"), ScriptedClient({})])
def test_server_and_scripted_clients_take_every_option(client: Client) -> None:
    options = {f"{stage}_{name}": value for stage in ("fast", "path") for name, value in SET.items()}
    require_options(RunSettings(**options, fast_top_p=0.9, path_thinking_tokens=9), client)
    assert {*SET, "top_p", "thinking_tokens"} == set(OPTIONS)


@pytest.mark.parametrize("greedy", [{"fast_top_k": 1}, {"path_top_k": 1}, {"fast_min_p": 1}, {"fast_temperature": 0}])
def test_an_option_that_makes_all_samples_equal_is_refused(greedy: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="decodes the same text every time"):
        RunSettings(**greedy)
    RunSettings(**greedy, samples=1, paths=1)
