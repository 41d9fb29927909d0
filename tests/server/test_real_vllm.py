"""The behavior of a real vLLM server that the client relies on."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import islice

import pytest

from egrm_graph.clients.client import Completions, Meter, Sampling
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.clients.server_requests import Endpoint
from egrm_graph.errors import ContextTooLong, ModelError, Unsupported
from egrm_graph.verification import Message
from tests.server.conftest import Served
from tests.server.metrics import metric, until

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

EASY = [Message(role="user", content="7+8=")]
# A sum that is too long without reasoning, so every sample is a different guess.
HARD = [Message(role="user", content="57+48-29+38+46-17=")]
SAMPLING = Sampling(temperature=1.0, max_tokens=40, thinking="off")
DIGITS = tuple("0123456789")


@pytest.fixture(params=["chat", "completions"])
async def client(request: pytest.FixtureRequest, real_server: Served) -> AsyncIterator[ServerClient]:
    endpoint: Endpoint = request.param
    client = ServerClient(real_server.name, [real_server.base_url], endpoint=endpoint, request_timeout_s=60)
    yield client
    await client.aclose()


@pytest.fixture
async def chat(real_server: Served) -> AsyncIterator[ServerClient]:
    client = ServerClient(real_server.name, [real_server.base_url], request_timeout_s=60)
    yield client
    await client.aclose()


async def draw(
    client: ServerClient, *seeds: int, sampling: Sampling = SAMPLING, meter: Meter | None = None
) -> Completions:
    return await client.sample(HARD, sampling, seeds=seeds, request_id="test", meter=meter)


def texts(drawn: Completions) -> list[str]:
    return [completion.text for completion in drawn.completions]


async def test_the_model_is_served(client: ServerClient) -> None:
    await client.check()


async def test_the_same_seed_gives_the_same_text(client: ServerClient) -> None:
    first, again, other = await draw(client, 7), await draw(client, 7), await draw(client, 8)
    assert texts(first) == texts(again) != texts(other)


async def test_one_request_for_n_samples_uses_consecutive_seeds(client: ServerClient) -> None:
    together = await draw(client, 7, 8, 9)
    alone = [await draw(client, seed) for seed in (7, 8, 9)]
    assert texts(together) == [text for drawn in alone for text in texts(drawn)]
    assert len(set(texts(together))) > 1
    assert together.usage["requests"] == 1


async def test_tokens_and_finish_reasons_add_up(client: ServerClient) -> None:
    drawn = await draw(client, 1, 2, 3, sampling=Sampling(temperature=1.0, max_tokens=2))
    for completion in drawn.completions:
        assert completion.token_ids is not None
        assert completion.n_tokens == len(completion.token_ids) <= 2
        assert completion.finish_reason == ("length" if len(completion.text) == 2 else "stop")
    assert drawn.usage["completion_tokens"] == sum(completion.n_tokens or 0 for completion in drawn.completions)
    assert drawn.usage["prompt_tokens"] >= len("57+48-29+38+46-17=")


@pytest.mark.parametrize("logprobs", [0, 3])
async def test_streaming_gives_the_same_completions(client: ServerClient, logprobs: int) -> None:
    sampling = Sampling(temperature=1.0, max_tokens=40, logprobs=logprobs)
    meter = Meter()
    unstreamed = await draw(client, 7, 8, 9, sampling=sampling)
    streamed = await draw(client, 7, 8, 9, sampling=sampling, meter=meter)
    assert texts(streamed) == texts(unstreamed)
    assert [item.token_ids for item in streamed.completions] == [item.token_ids for item in unstreamed.completions]
    assert [one.finish_reason for one in streamed.completions] == [one.finish_reason for one in unstreamed.completions]
    assert streamed.usage["completion_tokens"] == unstreamed.usage["completion_tokens"] == meter.n_tokens
    for one, other in zip(streamed.completions, unstreamed.completions, strict=True):
        assert one.logprobs == (None if other.logprobs is None else pytest.approx(other.logprobs, abs=1e-4))


async def test_logprobs_are_the_most_likely_tokens_at_every_position(client: ServerClient) -> None:
    drawn = await draw(client, 7, 8, 9, sampling=Sampling(temperature=1.0, max_tokens=20, logprobs=2))
    for completion in drawn.completions:
        assert completion.logprobs is not None
        assert completion.top_logprobs is not None
        assert len(completion.logprobs) == len(completion.top_logprobs) == completion.n_tokens
        for chosen, top in zip(completion.logprobs, completion.top_logprobs, strict=True):
            assert len(top) in (1, 2)
            assert list(top.values()) == sorted(top.values(), reverse=True)
            assert chosen <= max(top.values()) + 1e-4


async def test_a_sampled_token_never_replaces_a_more_likely_one_in_the_list(client: ServerClient) -> None:
    drawn = await draw(client, *range(20), sampling=Sampling(temperature=2.0, max_tokens=1, logprobs=3))
    tops = [list(completion.top_logprobs[0].items()) for completion in drawn.completions if completion.top_logprobs]
    longest = max(tops, key=len)
    assert (len(tops), len(longest)) == (20, 3)
    for top in tops:
        assert len(top) in (2, 3)
        assert dict(top) == pytest.approx(dict(longest[: len(top)]), abs=1e-4)


async def test_label_logprobs_cover_the_digits(client: ServerClient) -> None:
    labels = await client.label_logprobs(EASY, DIGITS, request_id="labels")
    assert set(labels.logprobs) == set(DIGITS)
    assert 0.9 < labels.mass < 1.0001
    assert labels.usage["completion_tokens"] == 1
    drawn = await client.sample(
        EASY, Sampling(temperature=1.0, max_tokens=1, logprobs=1), seeds=range(1), request_id="test"
    )
    assert drawn.completions[0].top_logprobs is not None
    ((token, value),) = drawn.completions[0].top_logprobs[0].items()
    assert labels.logprobs[token] == pytest.approx(value, abs=1e-4)


async def test_a_label_of_two_tokens_is_refused(client: ServerClient) -> None:
    with pytest.raises(Unsupported, match="the label '56' is not one token"):
        await client.label_logprobs(EASY, ["5", "56"], request_id="labels")


async def test_choices_limit_the_output(client: ServerClient) -> None:
    sampling = Sampling(temperature=1.0, max_tokens=8, choices=("12", "345"))
    drawn = await draw(client, *range(8), sampling=sampling)
    assert set(texts(drawn)) <= {"12", "345"}


async def test_generation_stops_at_a_text(client: ServerClient) -> None:
    unstopped = (await draw(client, *range(8))).completions
    stopped = (await draw(client, *range(8), sampling=replace(SAMPLING, stop=("5", "8")))).completions
    for one, other in zip(stopped, unstopped, strict=True):
        assert one.text == re.split("[58]", other.text)[0]
        assert one.finish_reason == "stop"


async def test_the_prompt_is_cached_the_second_time(chat: ServerClient) -> None:
    prompt = [Message(role="user", content="1+2+3+4+5-6+7-8+9+" * 8 + "1:")]
    usages = []
    for _ in range(2):
        drawn = await chat.sample(prompt, Sampling(temperature=1.0, max_tokens=2), seeds=(1,), request_id="test")
        usages.append(drawn.usage)
    assert usages[0]["prompt_tokens"] == usages[1]["prompt_tokens"] > 100
    assert usages[1]["cached_tokens"] > usages[0]["cached_tokens"]


@pytest.mark.parametrize("metered", [True, False])
async def test_cancelling_aborts_on_the_server(real_server: Served, client: ServerClient, metered: bool) -> None:
    long = Sampling(temperature=1.0, max_tokens=230, choices=("1" * 230,))
    running = "vllm:num_requests_running"
    before = await metric(real_server, "vllm:generation_tokens_total")
    task = asyncio.create_task(draw(client, *range(64), sampling=long, meter=Meter() if metered else None))
    await until(real_server, running, lambda value: value > 0)
    assert not task.done()
    task.cancel()
    await until(real_server, running, lambda value: value == 0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await metric(real_server, "vllm:generation_tokens_total") - before < 64 * 230


async def test_the_servers_log_names_the_run(real_server: Served, client: ServerClient) -> None:
    await client.sample(HARD, SAMPLING, seeds=(1, 2), request_id="run42.answer_fast.0")
    assert "run42.answer_fast.0" in real_server.log_path.read_text()


@pytest.mark.parametrize("max_tokens", [10, 100_000])
async def test_the_error_about_a_long_prompt_has_its_length(client: ServerClient, max_tokens: int) -> None:
    prompt = [Message(role="user", content="1+" * 500 + "1=")]
    with pytest.raises(ContextTooLong, match=r"\d{3}"):
        await client.sample(prompt, Sampling(temperature=1.0, max_tokens=max_tokens), seeds=(1,), request_id="test")


async def test_max_tokens_is_limited_to_the_rest_of_the_context(client: ServerClient) -> None:
    bounded = await client.sample(EASY, SAMPLING, seeds=(7,), request_id="test")
    for _ in range(2):
        drawn = await client.sample(
            EASY, Sampling(temperature=1.0, max_tokens=100_000, thinking="off"), seeds=(7,), request_id="test"
        )
        assert drawn.completions == bounded.completions


async def test_the_error_about_a_wrong_model_names_the_right_one(real_server: Served) -> None:
    client = ServerClient("nobody", [real_server.base_url])
    for call in (client.check(), draw(client, 1)):
        with pytest.raises(ModelError, match=f"does not serve 'nobody' but {real_server.name}"):
            await call
    await client.aclose()


async def test_a_thinking_limit_is_refused_if_the_server_has_no_support(client: ServerClient) -> None:
    with pytest.raises(Unsupported, match="cannot bound thinking"):
        await draw(client, 1, sampling=Sampling(temperature=1.0, max_tokens=8, thinking_tokens=4))


async def test_many_requests_can_run_at_once(chat: ServerClient) -> None:
    drawn = await asyncio.gather(*(draw(chat, seed, seed + 1) for seed in islice(range(0, 1000, 2), 40)))
    assert len(drawn) == 40
    assert all(len(item.completions) == 2 for item in drawn)


async def test_the_sampling_defaults_of_a_model_are_ignored(client: ServerClient) -> None:
    """The generation_config.json of the served folder sets greedy decoding."""
    drawn = await draw(client, *range(100), sampling=Sampling(temperature=2.0, max_tokens=3))
    assert len(set(texts(drawn))) > 10
