"""The engine `openai`, against servers that take only the standard fields of the OpenAI API."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from egrm_graph.clients.client import Meter, Sampling
from egrm_graph.clients.engines import ENGINES, load_client
from egrm_graph.clients.server_api import OPENAI
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.errors import ServerError, SettingsError, SetupError, Unsupported
from egrm_graph.graph import build_graph
from egrm_graph.settings import RunSettings, Settings
from tests.clients.asking import PROMPT, SAMPLING, ask, client_of, failure, sent
from tests.clients.fake_server import (
    Action,
    FakeServer,
    Seen,
    answer,
    chunks,
    echo_seeds,
    refuse,
    reply,
    say,
    stream,
)

STANDARD = {
    *("model", "messages", "prompt", "max_tokens", "temperature", "top_p", "n", "seed", "stop", "stream"),
    *("stream_options", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty"),
}
STANDARD_STREAM_OPTIONS = {"include_usage"}


def strict(action: Action) -> Action:
    """Refuses any field that the OpenAI API does not have."""

    async def act(seen: Seen) -> web.StreamResponse:
        options = seen.body.get("stream_options", {})
        unknown = sorted({*seen.body} - STANDARD | {*options} - STANDARD_STREAM_OPTIONS)
        if unknown:
            return await refuse(400, f"Unrecognized request argument supplied: {', '.join(unknown)}")(seen)
        return await action(seen)

    return act


def standard_answer(*texts: str) -> dict[str, Any]:
    body = answer(*texts)
    for item in body["choices"]:
        del item["token_ids"]
    return body


async def test_sends_the_standard_fields_only() -> None:
    assert await sent(SAMPLING, api=OPENAI) == {
        "model": "tiny",
        "messages": PROMPT,
        "max_tokens": 8,
        "temperature": 0.7,
        "top_p": 0.9,
        "n": 1,
        "seed": 7,
        "stream": False,
    }


async def test_sends_what_is_set_if_it_is_not_standard() -> None:
    body = await sent(Sampling(temperature=1, max_tokens=8, top_k=20, presence_penalty=0.5), api=OPENAI)
    assert (body["top_k"], body["presence_penalty"]) == (20, 0.5)
    assert {*body} - STANDARD == {"top_k"}


@pytest.mark.parametrize("thinking", ["off", "default"])
async def test_a_strict_server_accepts_every_request(thinking: Any) -> None:
    sampling = Sampling(temperature=1, max_tokens=8, logprobs=5, stop=("\n",), thinking=thinking)
    async with FakeServer(strict(reply(standard_answer("56")))).running() as server:
        for endpoint in ("chat", "completions"):
            async with client_of(server, api=OPENAI, endpoint=endpoint) as client:
                drawn = await ask(client, sampling=sampling)
                await client.check()
                assert [each.text for each in drawn.completions] == ["56"]


async def test_thinking_is_switched_off_until_the_server_refuses_the_field() -> None:
    sampling = Sampling(temperature=1, max_tokens=8, thinking="off")
    async with (
        FakeServer(strict(reply(standard_answer("56")))).running() as server,
        client_of(server, api=OPENAI) as client,
    ):
        for _ in range(2):
            assert (await ask(client, sampling=sampling)).completions[0].text == "56"
    assert ["chat_template_kwargs" in body for body in server.bodies] == [True, False, False]


async def test_a_strict_server_streams_and_the_meter_counts() -> None:
    body = answer("56")
    async with (
        FakeServer(strict(stream(*chunks(body)))).running() as server,
        client_of(server, api=OPENAI) as client,
    ):
        meter = Meter()
        drawn = await ask(client, meter=meter)
    assert drawn.completions[0].text == "56"
    assert meter.n_tokens == 3
    assert server.bodies[0]["stream_options"] == {"include_usage": True}


async def test_each_seed_is_a_request_of_its_own() -> None:
    async with FakeServer(echo_seeds()).running() as server, client_of(server, api=OPENAI) as client:
        drawn = await ask(client, seeds=(7, 8, 9))
    assert sorted((body["seed"], body["n"]) for body in server.bodies) == [(7, 1), (8, 1), (9, 1)]
    assert [completion.text for completion in drawn.completions] == ["7", "8", "9"]


async def test_a_model_that_refuses_max_tokens_gets_the_newer_field_from_then_on() -> None:
    refused = refuse(400, "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
    async with FakeServer(refused, say("56")).running() as server, client_of(server, api=OPENAI) as client:
        await ask(client)
        await ask(client)
    fields = [{*body} & {"max_tokens", "max_completion_tokens"} for body in server.bodies]
    assert fields == [{"max_tokens"}, {"max_completion_tokens"}, {"max_completion_tokens"}]


async def test_choices_and_a_bound_on_thinking_need_vllm() -> None:
    for sampling in (
        Sampling(temperature=1, max_tokens=8, choices=("A", "B")),
        Sampling(temperature=1, max_tokens=8, thinking_tokens=9),
    ):
        error = await failure(say("56"), sampling=sampling, api=OPENAI)
        assert isinstance(error, Unsupported)
        assert "engine='openai'" in str(error)
    with pytest.raises(SettingsError, match="path_thinking_tokens is 9, and m does not take thinking_tokens"):
        build_graph(Settings(engine="openai", model="m", path_thinking_tokens=9))


def top_logprobs(*tokens: tuple[str, float]) -> dict[str, Any]:
    body = standard_answer("A")
    top = [{"token": token, "logprob": value} for token, value in tokens]
    body["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": top}]}
    return body


async def test_labels_are_read_from_the_likeliest_tokens() -> None:
    listed = top_logprobs(("A", -0.1), ("B", -2.5), ("C", -9.0))
    async with FakeServer(strict(reply(listed))).running() as server, client_of(server, api=OPENAI) as client:
        labels = await client.label_logprobs(PROMPT, ["B", "A"], request_id="r")
        assert labels.logprobs == {"B": -2.5, "A": -0.1}
        assert (server.bodies[0]["max_tokens"], server.bodies[0]["top_logprobs"]) == (1, 20)
        with pytest.raises(Unsupported, match=r"do not include the labels \['D'\]"):
            await client.label_logprobs(PROMPT, ["A", "D"], request_id="r")


async def test_errors_do_not_name_vllm() -> None:
    too_many = refuse(400, "top_logprobs must be less than or equal to 5")
    error = await failure(too_many, sampling=Sampling(temperature=1, max_tokens=8, logprobs=20), api=OPENAI)
    assert str(error) == "`top_logprobs` is 20, but the server allows 5. Set `top_logprobs=5`."
    client = ServerClient("tiny", ["http://127.0.0.1:9/v1"], api=OPENAI, attempts=1)
    with pytest.raises(ServerError, match=r"no server answers at .*; start it, or set base_url") as caught:
        await ask(client)
    assert "vllm" not in str(caught.value).lower()
    assert "egrm serve-model" not in str(caught.value)
    await client.aclose()


async def test_an_error_lists_only_some_of_many_served_models() -> None:
    served = tuple(f"m{i}" for i in range(300))
    async with FakeServer(say("56"), served=served).running() as server, client_of(server, api=OPENAI) as client:
        with pytest.raises(SetupError, match="m19, 280 more; set model") as caught:
            await client.check()
    assert "m20," not in str(caught.value)


async def test_a_base_url_and_a_model_are_enough() -> None:
    async with FakeServer(strict(reply(standard_answer("Canberra")))).running() as server:
        graph = build_graph(Settings(base_url=(server.url,), model="tiny", samples=3))
        state = await graph.ainvoke({"question": "What is the capital of Australia?"})
    assert (state["verification"]["answer"], state["verification"]["route"]) == ("Canberra", "direct")


@pytest.mark.parametrize(
    ("settings", "engine"),
    [
        (Settings(), "embedded"),
        (Settings(base_url=("http://a/v1",), model="m"), "openai"),
        (Settings(base_url=("http://a/v1",), model="m", engine="auto"), "openai"),
        (Settings(base_url=("http://a/v1",), model="m", engine="vllm"), "vllm"),
        (Settings(base_url=("http://a/v1",), engine="embedded"), "embedded"),
        (Settings().overridden(RunSettings(samples=3)), "embedded"),
        (Settings(base_url=("http://a/v1",), model="m").overridden({"samples": 3}), "openai"),
    ],
)
def test_an_address_without_an_engine_means_any_openai_style_server(settings: Settings, engine: str) -> None:
    assert settings.engine == engine


@pytest.mark.parametrize("name", ["vllm", "openai"])
async def test_engines_load_by_name(name: Any) -> None:
    client = load_client(Settings(engine=name, model="m"))
    assert isinstance(client, ServerClient)
    assert (client.engine, client.name) == (name, "m")
    await client.aclose()


def test_every_engine_has_its_own_name() -> None:
    names: Sequence[str] = [engine.name for engine in ENGINES.values()]
    assert names == list(ENGINES) == ["embedded", "vllm", "openai", "chat_model"]
