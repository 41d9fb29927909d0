"""An HTTP server on this machine that follows a script: one action per request, and then the last one repeatedly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

END_ID = 2
"""The token that ends a text; it has none of its own."""
Action = Callable[["Seen"], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """One request as the server saw it."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    request: web.Request = field(repr=False)
    broken_off: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set when the client closes the connection before the answer."""


class FakeServer:
    """Scripted answers for `/v1/chat/completions`, `/v1/completions`, and `/pooling`. Other routes answer like vLLM."""

    def __init__(self, *script: Action, served: tuple[str, ...] = ("tiny",), context: int | None = None) -> None:
        self._script = list(script)
        self._cards = [{"id": name, "max_model_len": context} for name in served]
        self.seen: list[Seen] = []
        self.tokenized: list[str] = []
        self.detokenized: list[list[int]] = []
        self.connections: set[object] = set()
        self._more = asyncio.Condition()
        self.url = ""

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [seen.body for seen in self.seen]

    async def arrived(self, count: int = 1) -> None:
        """Waits until this many requests have arrived."""
        async with self._more:
            await self._more.wait_for(lambda: len(self.seen) >= count)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeServer]:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self._act)
        app.router.add_post("/v1/completions", self._act)
        app.router.add_post("/pooling", self._act)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_post("/detokenize", self._detokenize)
        server = TestServer(app)
        await server.start_server(shutdown_timeout=0.1)
        self.url = str(server.make_url("/v1"))
        try:
            yield self
        finally:
            await server.close()

    async def _act(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.path, request.headers, json.loads(await request.read()), request)
        action = self._script[min(len(self.seen), len(self._script) - 1)]
        self.seen.append(seen)
        self.connections.add(request.transport)
        async with self._more:
            self._more.notify_all()
        try:
            return await action(seen)
        except (asyncio.CancelledError, ConnectionError):
            seen.broken_off.set()
            raise

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response({"data": self._cards})

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        text = body["prompt"] if "prompt" in body else "".join(each["content"] for each in body["messages"])
        self.tokenized.append(text)
        return web.json_response({"tokens": [ord(character) for character in text]})

    async def _detokenize(self, request: web.Request) -> web.Response:
        ids = (await request.json())["tokens"]
        self.detokenized.append(ids)
        return web.json_response({"prompt": "".join(chr(token) for token in ids if token != END_ID)})


def choice(index: int, text: str) -> dict[str, Any]:
    """A finished choice of the chat route, with a token per character and one for the end."""
    message = {"role": "assistant", "content": text}
    token_ids = [*map(ord, text), END_ID]
    return {"index": index, "message": message, "finish_reason": "stop", "token_ids": token_ids, "logprobs": None}


def answer(*texts: str, cached: int | None = None, **changes: Any) -> dict[str, Any]:
    """A complete answer of the chat route, in vLLM's form."""
    choices = [choice(index, text) for index, text in enumerate(texts)]
    tokens = sum(len(item["token_ids"]) for item in choices)
    details = None if cached is None else {"cached_tokens": cached}
    usage = {"prompt_tokens": 7, "completion_tokens": tokens, "prompt_tokens_details": details}
    return {"id": "chatcmpl-1", "choices": choices, "usage": usage, **changes}


def say(*texts: str, delay_s: float = 0.0, **changes: Any) -> Action:
    """Answers the chat route with these texts."""
    return reply(answer(*texts, **changes), delay_s=delay_s)


def reply(body: Any, *, delay_s: float = 0.0) -> Action:
    async def act(_seen: Seen) -> web.Response:
        await asyncio.sleep(delay_s)
        return web.json_response(body)

    return act


def echo_seeds(*, delay_s: float = 0.0) -> Action:
    """Answers every sample with its seed, counted up like in vLLM."""

    async def act(seen: Seen) -> web.Response:
        await asyncio.sleep(delay_s)
        return web.json_response(answer(*(str(seen.body["seed"] + i) for i in range(seen.body["n"]))))

    return act


def refuse(status: int, message: str = "no", headers: Mapping[str, str] | None = None) -> Action:
    """Answers with an error in vLLM's form."""

    async def act(_seen: Seen) -> web.Response:
        return web.json_response({"error": {"message": message, "code": status}}, status=status, headers=headers)

    return act


async def disconnect(seen: Seen) -> web.StreamResponse:
    """Closes the connection without an answer."""
    assert seen.request.transport is not None
    seen.request.transport.close()
    return web.Response()


async def cut_short(seen: Seen) -> web.StreamResponse:
    """Announces a long body and closes the connection in the middle of it."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(seen.request)
    await response.write(b'{"choices"')
    assert seen.request.transport is not None
    seen.request.transport.close()
    return response


async def stall(_seen: Seen) -> web.StreamResponse:
    """Never answers."""
    await asyncio.Event().wait()
    raise AssertionError


def stream(*chunks: dict[str, Any] | str, then: Action | None = None) -> Action:
    """Sends the chunks as server-sent events, and text unchanged. Then runs `then`."""

    async def act(seen: Seen) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(seen.request)
        for chunk in chunks:
            line = chunk if isinstance(chunk, str) else f"data: {json.dumps(chunk)}\n\n"
            await response.write(line.encode())
        if then is not None:
            await then(seen)
        return response

    return act


def chunks(body: dict[str, Any], *, size: int = 1) -> list[dict[str, Any] | str]:
    """A complete chat answer in the chunks that vLLM would send: the choices' parts in turn, then the usage."""
    parts: list[dict[str, Any] | str] = [
        {"choices": [{"index": item["index"], "delta": {"role": "assistant", "content": ""}}], "usage": _used(0)}
        for item in body["choices"]
    ]
    longest = max(len(item["token_ids"]) for item in body["choices"])
    for start in range(0, longest, size):
        parts += [_part(item, start, size) for item in body["choices"] if start < len(item["token_ids"])]
    return [*parts, {"choices": [], "usage": body["usage"]}, "data: [DONE]\n\n"]


def _part(item: dict[str, Any], start: int, size: int) -> dict[str, Any]:
    stop = start + size
    last = stop >= len(item["token_ids"])
    content = (item.get("logprobs") or {}).get("content")
    delta = {key: text[start:stop] for key, text in item["message"].items() if key != "role" and text}
    part = {
        "index": item["index"],
        "delta": delta,
        "finish_reason": item["finish_reason"] if last else None,
        "token_ids": item["token_ids"][start:stop],
        "logprobs": None if content is None else {"content": content[start:stop]},
    }
    return {"choices": [part], "usage": _used(min(stop, len(item["token_ids"])))}


def _used(completion_tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 7, "completion_tokens": completion_tokens}
