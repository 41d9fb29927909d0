"""What a client reads from a server's replies: `input` has the request and the bodies of the answers in order."""

import json
from typing import Any

from aiohttp import web

from egrm_graph.clients.client import Meter, Sampling
from egrm_graph.errors import EgrmError
from tests.clients.asking import ask, client_of
from tests.clients.fake_server import Action, FakeServer, Seen


async def outcome(given: dict[str, Any]) -> Any:
    sampling = Sampling(temperature=1.0, max_tokens=8, logprobs=given.get("logprobs", 0))
    seeds = tuple(range(given.get("n", 1)))
    async with (
        FakeServer(*map(replying, given["replies"])).running() as server,
        client_of(server, attempts=1, endpoint=given.get("endpoint", "chat")) as client,
    ):
        try:
            drawn = await ask(client, seeds, sampling, Meter() if given.get("streamed") else None)
        except EgrmError as error:
            return [type(error).__name__, str(error).replace(server.url, "URL")]
    text = json.dumps([_fields(vars(completion), given) for completion in drawn.completions])
    return json.loads(text.replace(server.url, "URL"))


def replying(body: Any) -> Action:
    """Reply with JSON, or with text as server-sent events."""

    async def act(_seen: Seen) -> web.Response:
        if isinstance(body, str):
            return web.Response(body=body.encode(errors="surrogatepass"), content_type="text/event-stream")
        return web.Response(body=json.dumps(body), content_type="application/json")

    return act


def _fields(completion: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a completion that the cases show."""
    names = {"text", "finish_reason", "error", "thinking", "n_tokens", *given.get("show", ())}
    return {name: value for name, value in completion.items() if name in names and value is not None}
