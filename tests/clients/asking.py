"""A client of fake servers, and the call that most tests make."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from egrm_graph.clients.client import Client, Completions, Meter, Sampling
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.errors import (
    EgrmError,
)
from egrm_graph.verification import Message
from tests.clients.fake_server import (
    Action,
    FakeServer,
    say,
)

PROMPT = [Message(role="system", content="Be short. "), Message(role="user", content="17+48-9=")]


SAMPLING = Sampling(temperature=0.7, max_tokens=8, top_p=0.9)


@asynccontextmanager
async def client_of(*servers: FakeServer, **options: Any) -> AsyncIterator[ServerClient]:
    client = ServerClient("tiny", [server.url for server in servers], **options)
    try:
        yield client
    finally:
        await client.aclose()


async def ask(
    client: Client, seeds: Sequence[int] = (7,), sampling: Sampling = SAMPLING, meter: Meter | None = None
) -> Completions:
    return await client.sample(PROMPT, sampling, seeds=seeds, request_id="run.answer_fast.0", meter=meter)


async def sent(sampling: Sampling, **options: Any) -> dict[str, Any]:
    """The request body that one sample sends."""
    async with FakeServer(say("56")).running() as server, client_of(server, **options) as client:
        await ask(client, sampling=sampling)
        return server.bodies[0]


async def failure(*script: Action, sampling: Sampling = SAMPLING, **options: Any) -> EgrmError:
    """The error of one sample."""
    async with FakeServer(*script).running() as server, client_of(server, **options) as client:
        with pytest.raises(EgrmError) as caught:
            await ask(client, sampling=sampling)
        return caught.value


def with_logprobs(body: dict[str, Any]) -> dict[str, Any]:
    """Adds log-probabilities. Like vLLM, lists the sampled token first, whatever its rank."""
    top = [{"token": "9", "logprob": -3.0}, {"token": "5", "logprob": -0.5}, {"token": "6", "logprob": -1.5}]
    for item in body["choices"]:
        content = [{"token": "9", "logprob": -3.0, "top_logprobs": top} for _ in item["token_ids"]]
        item["logprobs"] = {"content": content}
    return body
