import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from typing import Any

import pytest
from aiohttp.test_utils import unused_port

from egrm_graph.clients.client import Client, Completion, Completions, Meter, Sampling
from egrm_graph.clients.vllm import VllmClient
from egrm_graph.errors import (
    ContextTooLong,
    DeadlineReached,
    EgrmError,
    ModelError,
    ServerError,
    SettingsError,
    SetupError,
    Unsupported,
)
from egrm_graph.verification import Message, Usage
from tests.clients.fake_server import (
    Action,
    FakeServer,
    answer,
    choice,
    chunks,
    cut_short,
    disconnect,
    echo_seeds,
    refuse,
    reply,
    say,
    stall,
    stream,
)

PROMPT = [Message(role="system", content="Be short. "), Message(role="user", content="17+48-9=")]
SAMPLING = Sampling(temperature=0.7, max_tokens=8, top_p=0.9)


@asynccontextmanager
async def client_of(*servers: FakeServer, **options: Any) -> AsyncIterator[VllmClient]:
    client = VllmClient("tiny", [server.url for server in servers], **options)
    try:
        yield client
    finally:
        await client.aclose()


async def ask(
    client: Client, seeds: Sequence[int] = (7,), sampling: Sampling = SAMPLING, meter: Meter | None = None
) -> Completions:
    return await client.sample(PROMPT, sampling, seeds=seeds, request_id="run.answer_fast.0", meter=meter)


async def sent(sampling: Sampling, **options: Any) -> dict[str, Any]:
    """The body that reaches the server for one sample."""
    async with FakeServer(say("56")).running() as server, client_of(server, **options) as client:
        await ask(client, sampling=sampling)
        return server.bodies[0]


async def failure(*script: Action, sampling: Sampling = SAMPLING, **options: Any) -> EgrmError:
    """The error of one sample."""
    async with FakeServer(*script).running() as server, client_of(server, **options) as client:
        with pytest.raises(EgrmError) as caught:
            await ask(client, sampling=sampling)
        return caught.value


async def test_fulfils_the_protocol() -> None:
    client = VllmClient("tiny")
    assert isinstance(client, Client)
    assert (client.name, client.gives_logprobs) == ("tiny", True)


async def test_sends_every_sampling_field_to_the_chat_route() -> None:
    assert await sent(SAMPLING) == {
        "model": "tiny",
        "messages": PROMPT,
        "max_completion_tokens": 8,
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stop": [],
        "n": 1,
        "seed": 7,
        "return_token_ids": True,
        "stream": False,
    }


async def test_joins_the_messages_for_the_completions_route() -> None:
    body = answer("56")
    body["choices"][0] |= {"text": body["choices"][0].pop("message")["content"]}
    async with FakeServer(reply(body)).running() as server, client_of(server, endpoint="completions") as client:
        drawn = await ask(client)
    assert server.seen[0].path == "/v1/completions"
    assert server.bodies[0]["prompt"] == "Be short. 17+48-9="
    assert server.bodies[0]["max_tokens"] == 8
    assert "messages" not in server.bodies[0]
    assert drawn.completions[0].text == "56"


async def test_sends_choices_thinking_and_its_bound() -> None:
    sampling = Sampling(temperature=1, max_tokens=8, choices=("A", "B"), thinking="on", thinking_tokens=100)
    body = await sent(sampling)
    assert body["structured_outputs"] == {"choice": ["A", "B"]}
    assert body["chat_template_kwargs"] == {"enable_thinking": True, "thinking": True}
    assert body["thinking_token_budget"] == 100


async def test_switches_thinking_off() -> None:
    body = await sent(Sampling(temperature=1, max_tokens=8, thinking="off"))
    assert body["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False}


async def test_thinking_cannot_be_switched_on_without_a_chat_template() -> None:
    sampling = Sampling(temperature=1, max_tokens=8, thinking="on")
    assert isinstance(await failure(say("56"), sampling=sampling, endpoint="completions"), Unsupported)


async def test_a_tokenizer_without_a_switch_is_asked_again_and_remembered() -> None:
    refused = refuse(400, "chat_template is not supported for Mistral tokenizers.")
    off = Sampling(temperature=1, max_tokens=8, thinking="off")
    async with FakeServer(refused, say("56")).running() as server, client_of(server) as client:
        await ask(client, sampling=off)
        await ask(client, sampling=off)
    assert ["chat_template_kwargs" in body for body in server.bodies] == [True, False, False]


async def test_a_tokenizer_without_a_switch_cannot_be_told_to_think() -> None:
    refused = refuse(400, "chat_template is not supported for Mistral tokenizers.")
    error = await failure(refused, sampling=Sampling(temperature=1, max_tokens=8, thinking="on"))
    assert isinstance(error, Unsupported)
    assert "cannot switch thinking" in str(error)


async def test_names_the_run_and_shows_the_key() -> None:
    async with FakeServer(say("56")).running() as server, client_of(server, api_key=" secret\n") as client:
        await ask(client)
    assert server.seen[0].headers["X-Request-Id"] == "run.answer_fast.0"
    assert server.seen[0].headers["Authorization"] == "Bearer secret"


async def test_reads_completions_and_usage() -> None:
    body = answer("56", "7", cached=4)
    body["choices"][0]["message"]["reasoning"] = "Add them."
    body["choices"][1]["finish_reason"] = "length"
    async with FakeServer(reply(body)).running() as server, client_of(server) as client:
        drawn = await ask(client, seeds=(7, 8))
    assert drawn == Completions(
        completions=(
            Completion("56", "stop", 3, thinking="Add them.", token_ids=(53, 54, 2)),
            Completion("7", "length", 2, token_ids=(55, 2)),
        ),
        usage=Usage(requests=1, prompt_tokens=7, cached_tokens=4, completion_tokens=5, cancelled_tokens=0),
    )


async def test_reads_what_a_leaner_server_leaves_out() -> None:
    body = answer("56")
    body["choices"][0] |= {"token_ids": None, "finish_reason": "content_filter"}
    body["choices"][0]["message"] = {"content": None, "reasoning_content": "Hm."}
    async with FakeServer(reply(body)).running() as server, client_of(server) as client:
        drawn = await ask(client)
    assert drawn.completions == (Completion("", "abort", 3, thinking="Hm."),)


def with_logprobs(body: dict[str, Any]) -> dict[str, Any]:
    """The sampled token comes first, wherever it ranks, as vLLM puts it."""
    top = [{"token": "9", "logprob": -3.0}, {"token": "5", "logprob": -0.5}, {"token": "6", "logprob": -1.5}]
    for item in body["choices"]:
        content = [{"token": "9", "logprob": -3.0, "top_logprobs": top} for _ in item["token_ids"]]
        item["logprobs"] = {"content": content}
    return body


async def test_logprobs_are_the_chosen_tokens_and_the_most_likely_in_order() -> None:
    sampling = Sampling(temperature=1, max_tokens=8, logprobs=2)
    async with FakeServer(reply(with_logprobs(answer("9")))).running() as server, client_of(server) as client:
        drawn = await ask(client, sampling=sampling)
    assert (server.bodies[0]["logprobs"], server.bodies[0]["top_logprobs"]) == (True, 3)
    assert drawn.completions[0].logprobs == (-3.0, -3.0)
    assert drawn.completions[0].top_logprobs == ({"5": -0.5, "6": -1.5},) * 2
    assert drawn.completions[0].top_logprobs is not None
    assert list(drawn.completions[0].top_logprobs[0]) == ["5", "6"]


async def test_tokens_that_are_spelled_the_same_share_their_probability() -> None:
    body = with_logprobs(answer("9"))
    for position in body["choices"][0]["logprobs"]["content"]:
        position["top_logprobs"] = [{"token": "\ufffd", "logprob": -1.0}, {"token": "\ufffd", "logprob": -1.0}]
    sampling = Sampling(temperature=1, max_tokens=8, logprobs=2)
    async with FakeServer(reply(body)).running() as server, client_of(server) as client:
        drawn = await ask(client, sampling=sampling)
    assert drawn.completions[0].top_logprobs is not None
    assert drawn.completions[0].top_logprobs[0] == pytest.approx({"\ufffd": -1.0 + 0.6931471805599453})


async def test_consecutive_seeds_are_one_request() -> None:
    async with FakeServer(echo_seeds()).running() as server, client_of(server) as client:
        drawn = await ask(client, seeds=(7, 8, 9))
    assert [(body["n"], body["seed"]) for body in server.bodies] == [(3, 7)]
    assert [completion.text for completion in drawn.completions] == ["7", "8", "9"]


async def test_other_seeds_are_requests_side_by_side_in_the_order_of_the_seeds() -> None:
    async with FakeServer(echo_seeds(delay_s=0.1)).running() as server, client_of(server) as client:
        started = monotonic()
        drawn = await ask(client, seeds=(7, 8, 20, 3))
        took_s = monotonic() - started
    assert sorted((body["seed"], body["n"]) for body in server.bodies) == [(3, 1), (7, 2), (20, 1)]
    assert [completion.text for completion in drawn.completions] == ["7", "8", "20", "3"]
    assert sorted(seen.headers["X-Request-Id"][-2:] for seen in server.seen) == [".0", ".1", ".2"]
    assert drawn.usage["requests"] == 3
    assert took_s < 0.25


async def test_greedy_decoding_is_asked_for_one_by_one() -> None:
    async with FakeServer(echo_seeds()).running() as server, client_of(server) as client:
        await ask(client, seeds=(7, 8), sampling=Sampling(temperature=0, max_tokens=8))
    assert [body["n"] for body in server.bodies] == [1, 1]


async def test_one_failed_request_of_several_cancels_the_others() -> None:
    async with FakeServer(stall, refuse(400)).running() as server, client_of(server) as client:
        with pytest.raises(SetupError):
            await ask(client, seeds=(1, 5))
        await asyncio.wait_for(server.seen[0].broken_off.wait(), 5)


async def test_a_wrong_number_of_completions_is_an_error() -> None:
    async with FakeServer(say("56")).running() as server, client_of(server) as client:
        with pytest.raises(ServerError, match="1 completions where 2 were asked for"):
            await ask(client, seeds=(1, 2))


@pytest.mark.parametrize("body", [{}, [], {"choices": [{"index": 0}], "usage": {}}, {"choices": None}])
async def test_an_answer_that_cannot_be_read_is_a_server_error(body: object) -> None:
    assert isinstance(await failure(reply(body)), ServerError)


async def test_servers_take_turns() -> None:
    async with (
        FakeServer(say("1")).running() as one,
        FakeServer(say("2")).running() as two,
        client_of(one, two) as client,
    ):
        for _ in range(6):
            await ask(client)
    assert (len(one.seen), len(two.seen)) == (3, 3)


async def test_a_retry_goes_to_the_next_server_with_the_same_request_id() -> None:
    async with (
        FakeServer(refuse(503)).running() as one,
        FakeServer(say("2")).running() as two,
        client_of(one, two) as client,
    ):
        drawn = await ask(client)
    assert drawn.completions[0].text == "2"
    assert one.seen[0].headers["X-Request-Id"] == two.seen[0].headers["X-Request-Id"] == "run.answer_fast.0"
    assert one.bodies == two.bodies


@pytest.mark.parametrize("broken", [refuse(500), refuse(503), refuse(429), disconnect, cut_short])
async def test_retries_what_another_try_may_bring_through(broken: Action) -> None:
    async with FakeServer(broken, say("56")).running() as server, client_of(server) as client:
        drawn = await ask(client)
    assert drawn.completions[0].text == "56"
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
async def test_does_not_retry_what_would_be_refused_again(status: int) -> None:
    async with FakeServer(refuse(status)).running() as server, client_of(server) as client:
        with pytest.raises(SetupError):
            await ask(client)
    assert len(server.seen) == 1


async def test_a_retry_waits_a_little_first() -> None:
    async with FakeServer(refuse(500), say("56")).running() as server, client_of(server) as client:
        started = monotonic()
        await ask(client)
    assert 0.19 < monotonic() - started < 1


def in_a_second() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize("form", ["1", "date"])
async def test_waits_as_long_as_the_server_asks(form: str) -> None:
    headers = {"Retry-After": in_a_second() if form == "date" else form}
    async with FakeServer(refuse(429, headers=headers), say("56")).running() as server, client_of(server) as client:
        started = monotonic()
        await ask(client)
    assert 0.9 < monotonic() - started < 2.5


async def test_gives_up_after_the_last_try_and_says_why() -> None:
    async with FakeServer(refuse(503, "overloaded")).running() as server, client_of(server, attempts=2) as client:
        with pytest.raises(ServerError) as caught:
            await ask(client)
    assert str(caught.value) == f"{server.url} answered 503: overloaded (2 tries)"
    assert len(server.seen) == 2


async def test_a_missing_server_is_named_with_the_fix() -> None:
    url = f"http://127.0.0.1:{unused_port()}/v1"
    client = VllmClient("tiny", [url], attempts=2)
    with pytest.raises(ServerError) as caught:
        await ask(client)
    assert f"no server answers at {url}; start one with `egrm serve-model tiny` or pass --base-url" in str(caught.value)
    with pytest.raises(ServerError, match="no server answers"):
        await client.check()
    await client.aclose()


async def test_a_server_that_comes_up_late_is_found() -> None:
    dead = f"http://127.0.0.1:{unused_port()}/v1"
    async with FakeServer(say("56")).running() as server:
        client = VllmClient("tiny", [dead, server.url])
        drawn = await ask(client)
        await client.aclose()
    assert drawn.completions[0].text == "56"


async def test_no_answer_in_time_is_not_retried() -> None:
    async with FakeServer(stall).running() as server, client_of(server, request_timeout_s=0.2) as client:
        with pytest.raises(DeadlineReached, match=r"within 0.2 s \(request_timeout_s\)"):
            await ask(client)
        await asyncio.wait_for(server.seen[0].broken_off.wait(), 5)
    assert len(server.seen) == 1


async def test_a_stream_that_stalls_ends_in_time() -> None:
    server = FakeServer(stream(*chunks(answer("56"))[:3], then=stall))
    async with server.running(), client_of(server, request_timeout_s=0.3) as client:
        with pytest.raises(DeadlineReached):
            await ask(client, meter=Meter())


async def test_a_name_that_is_not_served_lists_what_is() -> None:
    server = FakeServer(refuse(404, "The model `tiny` does not exist."), served=("large", "small"))
    async with server.running(), client_of(server) as client:
        with pytest.raises(ModelError, match="does not serve 'tiny' but large, small; set model"):
            await ask(client)
        with pytest.raises(ModelError, match="does not serve 'tiny' but large, small; set model"):
            await client.check()


async def test_check_passes_where_the_model_is_served() -> None:
    async with FakeServer(say("56"), served=("other", "tiny")).running() as server, client_of(server) as client:
        await client.check()


async def test_a_base_url_without_its_path_is_named() -> None:
    async with FakeServer(say("56")).running() as server:
        client = VllmClient("tiny", [server.url.removesuffix("/v1")])
        with pytest.raises(SetupError, match="usually ends in /v1"):
            await client.check()
        with pytest.raises(SetupError, match="usually ends in /v1"):
            await ask(client)
        await client.aclose()


@pytest.mark.parametrize("url", ["localhost:8000/v1", "", "http://", "ftp://gpu/v1"])
async def test_a_base_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(SettingsError, match="has to look like http://localhost:8000/v1"):
        VllmClient("tiny", [url])


async def test_a_password_in_a_base_url_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        VllmClient("tiny", ["http://me:hunter2@gpu/v1"])
    assert "hunter2" not in str(caught.value)


async def test_more_tokens_than_the_context_holds_become_what_room_there_is() -> None:
    said = "This model's maximum context length is 256 tokens. However, you requested 2048 output tokens."
    long = Sampling(temperature=1, max_tokens=2048)
    script = (refuse(400, said), say("56"), say("57"))
    async with FakeServer(*script).running() as server, client_of(server) as client:
        first, second = await ask(client, sampling=long), await ask(client, sampling=long)
        assert [drawn.completions[0].text for drawn in (first, second)] == ["56", "57"]
        assert [body["max_completion_tokens"] for body in server.bodies] == [2048, None, None]


async def test_a_prompt_that_is_too_long_keeps_the_numbers() -> None:
    said = "This model's maximum context length is 256 tokens. However, you requested 300 output tokens."
    error = await failure(refuse(400, said))
    assert isinstance(error, ContextTooLong)
    assert "256" in str(error)
    assert "300" in str(error)


async def test_a_missing_key_is_named_with_the_fix() -> None:
    error = await failure(refuse(401, "Unauthorized"))
    assert type(error) is SetupError
    assert "set api_key (EGRM_API_KEY)" in str(error)


async def test_a_key_that_the_server_repeats_is_not_shown() -> None:
    error = await failure(refuse(400, "what is secret-key doing here"), api_key="secret-key")
    assert "what is *** doing here" in str(error)
    chain: list[BaseException | None] = [error, error.__cause__, error.__context__]
    assert not any("secret-key" in str(item) for item in chain)


async def test_a_model_without_a_chat_template_is_pointed_to_the_other_route() -> None:
    error = await failure(refuse(400, "default chat template is no longer allowed"))
    assert isinstance(error, Unsupported)
    assert "endpoint='completions'" in str(error)


async def test_a_page_for_an_answer_is_quoted_in_part() -> None:
    error = await failure(refuse(400, "<html>" + "x" * 10_000))
    assert len(str(error)) < 1000


async def test_cancelling_closes_the_connection() -> None:
    async with FakeServer(stall).running() as server, client_of(server) as client:
        task = asyncio.create_task(ask(client))
        await server.arrived()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.seen[0].broken_off.wait(), 5)
        assert len(server.seen) == 1


async def test_cancelling_closes_a_stream_and_its_tokens_stay_counted() -> None:
    three = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_change() -> None:
        if meter.n_tokens == 3:
            loop.call_soon_threadsafe(three.set)

    meter = Meter(on_change=on_change)
    async with (
        FakeServer(stream(*chunks(answer("5678"))[:4], then=stall)).running() as server,
        client_of(server) as client,
    ):
        task = asyncio.create_task(ask(client, meter=meter))
        await three.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.seen[0].broken_off.wait(), 5)
    assert meter.n_tokens == 3


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_a_stream_gives_the_same_as_an_answer_in_one_piece(size: int) -> None:
    body = with_logprobs(answer("56", "123-4", "", cached=3))
    body["choices"][1] |= {"finish_reason": "length"}
    body["choices"][1]["message"]["reasoning"] = "think"
    sampling = Sampling(temperature=1, max_tokens=8, logprobs=2)
    meter = Meter()
    script = (reply(body), stream(*chunks(body, size=size)))
    async with FakeServer(*script).running() as server, client_of(server) as client:
        whole = await ask(client, (7, 8, 9), sampling)
        streamed = await ask(client, (7, 8, 9), sampling, meter)
    assert streamed == whole
    assert meter.n_tokens == whole.usage["completion_tokens"]
    assert server.bodies[1] == {
        **server.bodies[0],
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }


async def test_a_stream_of_the_completions_route_gives_the_same_too() -> None:
    logprobs: dict[str, list[Any]] = {
        "tokens": ["5", "</s>"],
        "token_logprobs": [-1.0, -2.0],
        "top_logprobs": [{"5": -1.0}, {"</s>": -2.0}],
    }
    token_ids = [53, 2]
    item = {"index": 0, "text": "5", "finish_reason": "stop", "token_ids": token_ids, "logprobs": logprobs}
    body = {"choices": [item], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    parts = [
        {
            "index": 0,
            "text": text,
            "finish_reason": finish,
            "token_ids": [token_ids[i]],
            "logprobs": {name: [values[i]] for name, values in logprobs.items()},
        }
        for i, (text, finish) in enumerate([("5", None), ("", "stop")])
    ]
    pieces = [{"choices": [part]} for part in parts] + [{"choices": [], "usage": body["usage"]}]
    sampling = Sampling(temperature=1, max_tokens=8, logprobs=1)
    meter = Meter()
    script = (reply(body), stream(*pieces, "data: [DONE]\n\n"))
    async with FakeServer(*script).running() as server, client_of(server, endpoint="completions") as client:
        whole = await ask(client, sampling=sampling)
        assert await ask(client, sampling=sampling, meter=meter) == whole
    assert meter.n_tokens == 2
    assert whole.completions[0].top_logprobs == ({"5": -1.0}, {"</s>": -2.0})


ENGINE_DIED = 'data: {"error": {"message": "engine died", "code": 500}}\n\n'


@pytest.mark.parametrize(("more", "then"), [([], disconnect), ([], None), ([ENGINE_DIED], None)])
async def test_a_stream_that_breaks_off_is_retried_and_what_it_generated_is_paid_for(
    more: list[str], then: Action | None
) -> None:
    parts = chunks(answer("56"))
    broken = stream(*parts[:3], *more, then=then)
    meter = Meter()
    async with FakeServer(broken, stream(*parts)).running() as server, client_of(server) as client:
        drawn = await ask(client, meter=meter)
    assert drawn.completions == (Completion("56", "stop", 3, token_ids=(53, 54, 2)),)
    assert drawn.usage == Usage(requests=1, prompt_tokens=7, cached_tokens=0, completion_tokens=5, cancelled_tokens=2)
    assert meter.n_tokens == 5


async def test_a_chunk_may_be_longer_than_any_line_buffer() -> None:
    parts = chunks(answer("56"))
    assert isinstance(parts[0], dict)
    parts[0]["prompt_token_ids"] = list(range(100_000))
    async with FakeServer(stream(*parts)).running() as server, client_of(server) as client:
        drawn = await ask(client, meter=Meter())
    assert drawn.completions[0].text == "56"


async def test_lines_of_a_stream_that_hold_no_data_are_skipped() -> None:
    parts = chunks(answer("56"))
    async with FakeServer(stream(": keep-alive\n\n", *parts)).running() as server, client_of(server) as client:
        drawn = await ask(client, meter=Meter())
    assert drawn.completions[0].text == "56"


def label_answer(*pairs: tuple[int, float]) -> dict[str, Any]:
    top = [{"token": f"token_id:{token_id}", "logprob": value} for token_id, value in pairs]
    return {
        "choices": [
            {**choice(0, "A"), "logprobs": {"content": [{"token": "A", "logprob": -1.0, "top_logprobs": top}]}}
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 1},
    }


async def test_label_logprobs_come_from_one_request_at_temperature_one() -> None:
    body = label_answer((67, -5.0), (65, -0.1), (66, -3.0))
    async with FakeServer(reply(body)).running() as server, client_of(server) as client:
        first = await client.label_logprobs(PROMPT, ["A", "B"], request_id="r")
        await client.label_logprobs(PROMPT, ["B", "A"], request_id="r")
    assert first.logprobs == {"A": -0.1, "B": -3.0}
    assert first.usage["requests"] == 1
    assert sorted(server.tokenized) == ["A", "B"]
    wanted = {"temperature": 1.0, "top_p": 1.0, "max_completion_tokens": 1, "logprob_token_ids": [65, 66]}
    assert wanted.items() <= {**server.bodies[0]}.items()
    assert "prompt_logprobs" not in server.bodies[0]


async def test_label_logprobs_are_read_from_the_completions_route() -> None:
    logprobs = {"token_logprobs": [-0.1], "top_logprobs": [{"token_id:65": -0.1, "token_id:66": -3.0}]}
    body = {"choices": [{"index": 0, "text": "A", "logprobs": logprobs}], "usage": {"prompt_tokens": 7}}
    async with FakeServer(reply(body)).running() as server, client_of(server, endpoint="completions") as client:
        labels = await client.label_logprobs(PROMPT, ["B", "A"], request_id="r")
    assert labels.logprobs == {"B": -3.0, "A": -0.1}
    assert server.bodies[0]["logprobs"] == 2


async def test_a_label_of_several_tokens_is_named() -> None:
    async with FakeServer(say("A")).running() as server, client_of(server) as client:
        with pytest.raises(Unsupported, match="the label 'yes' is not one token of tiny"):
            await client.label_logprobs(PROMPT, ["A", "yes"], request_id="r")


async def test_a_server_that_ignores_labels_is_an_error() -> None:
    async with FakeServer(reply(label_answer((65, -0.1)))).running() as server, client_of(server) as client:
        with pytest.raises(Unsupported, match=r"nothing about the labels \['B'\]"):
            await client.label_logprobs(PROMPT, ["A", "B"], request_id="r")


async def test_calls_in_turn_share_one_connection() -> None:
    async with FakeServer(say("56")).running() as server, client_of(server) as client:
        for _ in range(5):
            await ask(client)
        assert len(server.connections) == 1


async def test_two_event_loops_share_one_session() -> None:
    async with FakeServer(echo_seeds(delay_s=0.02)).running() as server, client_of(server) as client:

        async def several(first: int) -> list[str]:
            drawn = await asyncio.gather(*(ask(client, seeds=(first + i,)) for i in range(20)))
            return [item.completions[0].text for item in drawn]

        before = threading.active_count()
        other = asyncio.to_thread(lambda: asyncio.run(several(100)))
        here, there = await asyncio.gather(several(0), other)
        names = [thread.name for thread in threading.enumerate()]
    assert here == [str(i) for i in range(20)]
    assert there == [str(100 + i) for i in range(20)]
    assert names.count("egrm-vllm") == 1
    assert threading.active_count() <= before + 2


async def test_a_closed_client_says_so() -> None:
    async with FakeServer(say("56")).running() as server:
        client = VllmClient("tiny", [server.url])
        await ask(client)
        await client.aclose()
        await client.aclose()
        with pytest.raises(SetupError, match="this client is closed"):
            await ask(client)


async def test_closing_ends_what_is_under_way() -> None:
    async with FakeServer(stall).running() as server:
        client = VllmClient("tiny", [server.url])
        task = asyncio.create_task(ask(client))
        await server.arrived()
        await client.aclose()
        with pytest.raises(ServerError, match="the client was closed"):
            await task
        await asyncio.wait_for(server.seen[0].broken_off.wait(), 5)


async def test_a_client_that_is_not_closed_complains_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with FakeServer(say("56")).running() as server:
        client = VllmClient("tiny", [server.url])
        await ask(client)
        del client
        gc.collect()
        for thread in threading.enumerate():
            if thread.name == "egrm-vllm":
                await asyncio.to_thread(thread.join, 5)
        gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
