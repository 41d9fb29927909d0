"""A server that gives every request the same completions after a delay, to measure the cost of the client alone.

The delays are uniform from half to one and a half of their mean, similar to those of a model. With a fixed delay, all
requests would return at the same moment, which no server does.

Run `python examples/studies/canned_server.py DELAY_S`. It prints its port, and ends when its standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from subprocess import PIPE, Popen
from typing import Any

from aiohttp import web

TOKENS = ["5", "6", ""]
"""The texts of the tokens of every completion."""


def canned(n: int) -> bytes:
    """A response of the chat route of vLLM with `n` completions."""
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": "".join(TOKENS), "reasoning": None},
            "logprobs": None,
            "finish_reason": "stop",
            "stop_reason": None,
            "token_ids": [8, 9, 2],
        }
        for i in range(n)
    ]
    return json.dumps({"id": "chatcmpl-0", "model": "canned", "choices": choices, "usage": _usage(3 * n)}).encode()


def canned_stream(n: int) -> list[bytes]:
    """The same response, streamed by vLLM with the usage in each chunk: what it writes at each of its steps."""

    def chunk(choices: list[dict[str, Any]], completion_tokens: int) -> bytes:
        body = {
            "id": "chatcmpl-0",
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "model": "canned",
            "choices": choices,
            "usage": _usage(completion_tokens),
        }
        return b"data: " + json.dumps(body).encode() + b"\n\n"

    def choice(i: int, delta: dict[str, str], **more: Any) -> dict[str, Any]:
        return {"index": i, "delta": delta, "logprobs": None, "finish_reason": None, "token_ids": None, **more}

    first = b"".join(chunk([choice(i, {"role": "assistant", "content": ""})], 0) for i in range(n))
    steps = [
        b"".join(
            chunk(
                [choice(i, {"content": text}, token_ids=[7], finish_reason="stop" if place == 2 else None)], place + 1
            )
            for i in range(n)
        )
        for place, text in enumerate(TOKENS)
    ]
    return [first + steps[0], *steps[1:-1], steps[-1] + chunk([], 3 * n) + b"data: [DONE]\n\n"]


def _usage(completion_tokens: int) -> dict[str, Any]:
    return {"prompt_tokens": 9, "completion_tokens": completion_tokens, "total_tokens": 9 + completion_tokens}


@contextmanager
def canned_server(delay_s: float) -> Iterator[str]:
    """Start a server with this mean delay in a separate process, and yield its base URL."""
    command = [sys.executable, __file__, str(delay_s)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the canned server did not start; its error is above")
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.stdin.close()


async def _serve(delay_s: float) -> None:
    answer, stream = cache(canned), cache(canned_stream)
    draw = random.Random(0)

    async def respond(request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        n, taken_s = body.get("n", 1), delay_s * draw.uniform(0.5, 1.5)
        if not body.get("stream"):
            await asyncio.sleep(taken_s)
            return web.Response(body=answer(n), content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        with suppress(ConnectionResetError):  # the request was canceled
            await response.prepare(request)
            for part in stream(n):
                await asyncio.sleep(taken_s / len(stream(n)))
                await response.write(part)
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", respond)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("delay_s", type=float, help="mean delay in seconds")
    asyncio.run(_serve(parser.parse_args().delay_s))
