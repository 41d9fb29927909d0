import asyncio
from time import monotonic

import pytest
from aiohttp import web

from egrm_graph.clients.client import Client, Completion, Completions, Sampling
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.errors import (
    ServerError,
    SetupError,
    Unsupported,
)
from egrm_graph.verification import Usage
from tests.clients.asking import PROMPT, SAMPLING, ask, client_of, failure, sent, with_logprobs
from tests.clients.fake_server import (
    FakeServer,
    Seen,
    answer,
    echo_seeds,
    refuse,
    reply,
    say,
    stall,
)


async def test_fulfills_the_protocol() -> None:
    client = ServerClient("tiny")
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


async def test_a_tokenizer_without_a_switch_cannot_turn_on_thinking() -> None:
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
    withheld = "the answer was withheld: 'content_filter'"
    assert drawn.completions == (Completion("", "abort", 3, thinking="Hm.", error=withheld),)


async def test_logprobs_are_the_chosen_tokens_and_the_most_likely_in_order() -> None:
    sampling = Sampling(temperature=1, max_tokens=8, logprobs=2)
    async with FakeServer(reply(with_logprobs(answer("9")))).running() as server, client_of(server) as client:
        drawn = await ask(client, sampling=sampling)
    assert (server.bodies[0]["logprobs"], server.bodies[0]["top_logprobs"]) == (True, 2)
    assert drawn.completions[0].logprobs == (-3.0, -3.0)
    assert drawn.completions[0].top_logprobs == ({"5": -0.5, "6": -1.5},) * 2
    assert drawn.completions[0].top_logprobs is not None
    assert list(drawn.completions[0].top_logprobs[0]) == ["5", "6"]


async def test_a_sampled_token_that_is_the_least_likely_of_those_listed_is_left_out() -> None:
    body = with_logprobs(answer("9"))
    sampling = Sampling(temperature=1, max_tokens=8, logprobs=3)
    async with FakeServer(reply(body)).running() as server, client_of(server) as client:
        drawn = await ask(client, sampling=sampling)
    assert drawn.completions[0].top_logprobs == ({"5": -0.5, "6": -1.5},) * 2


async def test_tokens_with_the_same_text_share_their_probability() -> None:
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
    async with FakeServer(echo_seeds(delay_s=0.5)).running() as server, client_of(server) as client:
        started = monotonic()
        drawn = await ask(client, seeds=(7, 8, 20, 3))
        took_s = monotonic() - started
    assert sorted((body["seed"], body["n"]) for body in server.bodies) == [(3, 1), (7, 2), (20, 1)]
    assert [completion.text for completion in drawn.completions] == ["7", "8", "20", "3"]
    assert sorted(seen.headers["X-Request-Id"][-2:] for seen in server.seen) == [".0", ".1", ".2"]
    assert drawn.usage["requests"] == 3
    assert took_s < 1.2


async def test_greedy_decoding_is_asked_for_one_by_one() -> None:
    async with FakeServer(echo_seeds()).running() as server, client_of(server) as client:
        await ask(client, seeds=(7, 8), sampling=Sampling(temperature=0, max_tokens=8))
    assert [body["n"] for body in server.bodies] == [1, 1]


async def test_one_failed_request_of_several_cancels_the_others() -> None:
    async with FakeServer(stall, refuse(400)).running() as server, client_of(server) as client:
        with pytest.raises(SetupError):
            await ask(client, seeds=(1, 5))
        await asyncio.wait_for(server.seen[0].broken_off.wait(), 5)


async def test_a_server_that_gives_fewer_completions_is_asked_for_the_others_one_by_one() -> None:
    async with FakeServer(say("56"), echo_seeds()).running() as server, client_of(server) as client:
        first, second = await ask(client, seeds=(1, 2, 3)), await ask(client, seeds=(7, 8))
    assert [completion.text for completion in first.completions] == ["56", "2", "3"]
    assert [completion.text for completion in second.completions] == ["7", "8"]
    assert sorted((body["seed"], body["n"]) for body in server.bodies) == [(1, 3), (2, 1), (3, 1), (7, 1), (8, 1)]
    assert (first.usage["requests"], second.usage["requests"]) == (3, 2)


async def test_a_server_that_gives_more_completions_gives_no_more_samples() -> None:
    async with FakeServer(say("56", "57", "58")).running() as server, client_of(server) as client:
        drawn = await ask(client, seeds=(1, 2))
    assert [completion.text for completion in drawn.completions] == ["56", "57"]


async def test_a_server_that_refuses_several_completions_is_asked_one_by_one() -> None:
    refused = refuse(400, "Only one completion choice is allowed")
    async with FakeServer(refused, echo_seeds()).running() as server, client_of(server) as client:
        drawn = await ask(client, seeds=(1, 2))
    assert [completion.text for completion in drawn.completions] == ["1", "2"]


async def test_a_request_that_fails_among_others_costs_only_its_own_sample() -> None:
    async def act(seen: Seen) -> web.StreamResponse:
        return await (refuse(500, "out of memory") if seen.body["seed"] == 20 else echo_seeds())(seen)

    async with FakeServer(act).running() as server, client_of(server, attempts=1) as client:
        drawn = await ask(client, seeds=(7, 8, 20))
    assert [completion.text for completion in drawn.completions] == ["7", "8", ""]
    assert drawn.completions[2] == Completion("", "abort", None, error=f"{server.url} answered 500: out of memory")


@pytest.mark.parametrize("body", [{}, [], {"choices": []}, {"choices": None}])
async def test_an_answer_that_cannot_be_read_is_a_server_error(body: object) -> None:
    assert isinstance(await failure(reply(body)), ServerError)
