from typing import Any

import pytest

from egrm_graph.errors import (
    Unsupported,
)
from tests.clients.asking import PROMPT, client_of
from tests.clients.fake_server import (
    FakeServer,
    choice,
    reply,
    say,
)


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
        with pytest.raises(Unsupported, match=r"no log-probabilities of \['B'\]"):
            await client.label_logprobs(PROMPT, ["A", "B"], request_id="r")
