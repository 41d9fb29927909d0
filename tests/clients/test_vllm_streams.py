import asyncio
from typing import Any

import pytest

from egrm_graph.clients.client import Completion, Meter, Sampling
from egrm_graph.verification import Usage
from tests.clients.asking import ask, client_of, with_logprobs
from tests.clients.fake_server import (
    Action,
    FakeServer,
    answer,
    chunks,
    disconnect,
    reply,
    stall,
    stream,
)


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
        unstreamed = await ask(client, (7, 8, 9), sampling)
        streamed = await ask(client, (7, 8, 9), sampling, meter)
    assert streamed == unstreamed
    assert meter.n_tokens == unstreamed.usage["completion_tokens"]
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
        unstreamed = await ask(client, sampling=sampling)
        assert await ask(client, sampling=sampling, meter=meter) == unstreamed
    assert meter.n_tokens == 2
    assert unstreamed.completions[0].top_logprobs == ({"5": -1.0}, {"</s>": -2.0})


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
