"""Completions that begin with given tokens, from a vLLM server."""

from typing import Any

import pytest

from egrm_graph.clients.client import Sampling
from egrm_graph.clients.server_api import OPENAI
from egrm_graph.clients.server_tokens import SEPARATOR
from egrm_graph.errors import ContextTooLong, Unsupported
from tests.clients.asking import PROMPT, client_of
from tests.clients.fake_server import END_ID, FakeServer, refuse, reply

ASKED = "".join(message["content"] for message in PROMPT)


def continued(text: str, *, second: str = "z", **changes: Any) -> dict[str, Any]:
    """An answer of `/completions` in which each token had one other, and log-probabilities by id."""
    ids = [*map(ord, text), END_ID]
    logprobs = {
        "tokens": [f"token_id:{token}" for token in ids],
        "token_logprobs": [-0.1] * len(ids),
        "top_logprobs": [{f"token_id:{token}": -0.1, f"token_id:{ord(second)}": -2.5} for token in ids],
    }
    choice = {"index": 0, "text": text, "finish_reason": "stop", "token_ids": ids, "logprobs": logprobs, **changes}
    return {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": len(ids)}}


def sampling(*begins_with: int, **changes: Any) -> Sampling:
    given: dict[str, Any] = {"temperature": 0.0, "max_tokens": 16, "logprobs": 2, "begins_with": begins_with}
    return Sampling(**given | changes)


async def test_the_model_goes_on_after_the_tokens_of_prompt_and_beginning() -> None:
    async with FakeServer(reply(continued("cd"))).running() as server, client_of(server) as client:
        drawn = await client.sample(PROMPT, sampling(97, 98), seeds=(5,), request_id="r")
        await client.sample(PROMPT, sampling(97), seeds=(5,), request_id="r")
    [completion] = drawn.completions
    assert server.seen[0].path == "/v1/completions"
    assert server.bodies[0]["prompt"] == [*map(ord, ASKED), 97, 98]
    assert server.bodies[0]["return_tokens_as_token_ids"] is True
    assert "messages" not in server.bodies[0]
    assert server.tokenized.count(ASKED) == 1  # the second call knows it
    assert (completion.text, completion.before) == ("abcd", 2)
    assert completion.token_ids == (99, 100, END_ID)
    assert completion.tokens == ("c", "d", "")
    assert completion.likeliest is not None
    assert [token["id"] for token in completion.likeliest[0]] == [99, ord("z")]
    assert [token["text"] for token in completion.likeliest[0]] == ["c", "z"]


async def test_each_tokens_text_is_looked_up_once_and_with_the_others() -> None:
    async with FakeServer(reply(continued("cdc"))).running() as server, client_of(server) as client:
        for _ in range(2):
            await client.sample(PROMPT, sampling(), seeds=(5,), request_id="r")
    looked_up = [ids for ids in server.detokenized if ids != [ord(SEPARATOR)]]
    mark = ord(SEPARATOR)
    assert looked_up == [[mark, 99, mark, 100, mark, END_ID, mark, ord("z"), mark]]


async def test_a_beginning_may_be_empty_and_streamed() -> None:
    async with FakeServer(reply(continued("cd"))).running() as server, client_of(server) as client:
        [completion] = (await client.sample(PROMPT, sampling(), seeds=(5,), request_id="r")).completions
    assert (completion.text, completion.before) == ("cd", 0)
    assert server.bodies[0]["prompt"] == [*map(ord, ASKED)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (continued("cd", token_ids=None), "the server gave no token ids of the tokens; a tree of paths needs vLLM"),
        (continued("cd", logprobs=None), "the server gave no log-probabilities of the tokens"),
        (
            continued(
                "c",
                logprobs={
                    "tokens": ["c", ""],
                    "token_logprobs": [-0.1] * 2,
                    "top_logprobs": [{"c": -0.1, "d": -3.0}] * 2,
                },
            ),
            "the server names the token 'c' by its text, not its id",
        ),
        (
            continued(
                "c",
                logprobs={
                    "tokens": ["token_id:99"] * 2,
                    "token_logprobs": [-0.1] * 2,
                    "top_logprobs": [{"token_id:99": -0.1}] * 2,
                },
            ),
            "the server lists only the likeliest token at each position",
        ),
    ],
)
async def test_a_server_without_ids_or_log_probabilities_is_named(body: dict[str, Any], message: str) -> None:
    async with FakeServer(reply(body)).running() as server, client_of(server) as client:
        with pytest.raises(Unsupported, match=message):
            await client.sample(PROMPT, sampling(97), seeds=(5,), request_id="r")


async def test_other_servers_are_refused() -> None:
    async with FakeServer(reply(continued("cd"))).running() as server, client_of(server, api=OPENAI) as client:
        assert not client.continues_tokens
        with pytest.raises(Unsupported, match="engine='openai' cannot continue token ids; use a vLLM server"):
            await client.sample(PROMPT, sampling(97), seeds=(5,), request_id="r")
    assert server.seen == []


async def test_a_completion_may_fill_what_the_context_has_left() -> None:
    """vLLM's `/completions` gives 16 tokens if no maximum is named."""
    too_long = refuse(
        400, "max_tokens=500 cannot be greater than max_model_len=40. Please request fewer output tokens."
    )
    async with FakeServer(too_long, reply(continued("cd"))).running() as server, client_of(server) as client:
        await client.sample(PROMPT, sampling(97, max_tokens=500), seeds=(5,), request_id="r")
        with pytest.raises(ContextTooLong, match="and the context of tiny holds 40, completion included"):
            await client.sample(PROMPT, sampling(*[97] * 60, max_tokens=500), seeds=(5,), request_id="r")
    assert server.bodies[1]["max_tokens"] == 40 - len(ASKED) - 1


async def test_a_base_model_may_fill_its_context_too() -> None:
    too_long = refuse(400, "max_tokens=500 cannot be greater than max_model_len=40.")
    answered = reply({"choices": [{"index": 0, "text": "c", "finish_reason": "stop"}], "usage": {}})
    async with FakeServer(too_long, answered).running() as server, client_of(server, endpoint="completions") as client:
        await client.sample(PROMPT, Sampling(temperature=1.0, max_tokens=500), seeds=(5,), request_id="r")
    assert server.bodies[1]["max_tokens"] == 40 - len(ASKED)
