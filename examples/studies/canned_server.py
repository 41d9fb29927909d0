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
from contextlib import contextmanager
from subprocess import PIPE, Popen

from aiohttp import web

TEXT = "56"


def canned(n: int) -> bytes:
    """A response of the chat route of vLLM with `n` completions."""
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": TEXT, "reasoning": None},
            "logprobs": None,
            "finish_reason": "stop",
            "stop_reason": None,
            "token_ids": [8, 9, 2],
        }
        for i in range(n)
    ]
    usage = {"prompt_tokens": 9, "completion_tokens": 3 * n, "total_tokens": 9 + 3 * n, "prompt_tokens_details": None}
    return json.dumps({"id": "chatcmpl-0", "model": "canned", "choices": choices, "usage": usage}).encode()


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
    answers: dict[int, bytes] = {}
    draw = random.Random(0)

    async def answer(request: web.Request) -> web.Response:
        n = json.loads(await request.read())["n"]
        if n not in answers:
            answers[n] = canned(n)
        await asyncio.sleep(delay_s * draw.uniform(0.5, 1.5))
        return web.Response(body=answers[n], content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
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
