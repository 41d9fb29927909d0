"""What a child does to the connections that it inherits from its parent. The parent is a separate program."""

from __future__ import annotations

import asyncio
import os
import sys

from aiohttp import web

from tests.clients.fake_server import FakeServer, Seen, answer, stall

PARENT = """
import asyncio, gc, os, signal, sys, threading, time
from egrm_graph.clients.client import Sampling
from egrm_graph.clients.server_client import ServerClient

url, child_does, parent_does = sys.argv[1:]
client = ServerClient("tiny", [url])

async def ask(seed):
    sampling = Sampling(temperature=0.7, max_tokens=8, top_p=0.9)
    await client.sample([{"role": "user", "content": "17+48-9="}], sampling, seeds=[seed], request_id="a")

async def cancelled():
    task = asyncio.create_task(ask(99))
    await asyncio.to_thread(cancel.wait)
    task.cancel()
    await asyncio.wait([task])

def fork():
    if (child := os.fork()) == 0:
        if "asks" in child_does:
            asyncio.run(ask(7))
        if "closes" in child_does:
            asyncio.run(client.aclose())
        if "drops" in child_does:
            del globals()["client"]
            gc.collect()
        if "lives on" in child_does:
            print("lives", flush=True)
            time.sleep(60)
        sys.exit()
    return child

asyncio.run(ask(7))
if parent_does == "cancels":
    cancel = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(cancelled()))
    thread.start()
    print(sys.stdin.readline(), end="", flush=True)
    child = fork()
    print(sys.stdin.readline(), end="", flush=True)
    cancel.set()
    thread.join()
    print(sys.stdin.readline(), end="", flush=True)
    os.kill(child, signal.SIGTERM)
else:
    child = fork()
exit_code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
if parent_does == "asks again":
    asyncio.run(ask(7))
print("child exits with", exit_code, flush=True)
"""


async def outcome(given: dict[str, str]) -> str:
    async with FakeServer(_act).running() as server:
        path = os.pathsep.join(filter(None, sys.path))
        environment = os.environ | {"PYTHONPATH": path, "PYTHONASYNCIODEBUG": "1"}
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-W", "always::ResourceWarning", "-c", PARENT]
        process = await asyncio.create_subprocess_exec(
            *command, server.url, given["child"], given["parent"], stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        try:
            seen = await asyncio.wait_for(_seen(server, process, given), 20)
            out, err = await asyncio.wait_for(process.communicate(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()
            return "hangs"
    output = ", ".join(out.decode().split("\n")[-2:-1]) + err.decode()
    return f"{seen or _connections(server)}, {output}"


async def _seen(server: FakeServer, process: asyncio.subprocess.Process, given: dict[str, str]) -> str | None:
    """Takes a parent that cancels through its steps: the request arrives, the parent forks, and then it cancels."""
    if given["parent"] != "cancels":
        return None
    assert process.stdin is not None
    assert process.stdout is not None
    await server.arrived(2)
    process.stdin.write(b"fork\n")
    lines = [await process.stdout.readline() for _ in range(2)]
    assert sorted(lines) == [b"fork\n", b"lives\n"]
    process.stdin.write(b"cancel\n")
    await asyncio.wait_for(server.seen[1].broken_off.wait(), 2)
    process.stdin.write(b"end\n")
    return "the server sees the end of the request"


def _connections(server: FakeServer) -> str:
    """The connections of the first and the last request, which are the parent's."""
    of_parent = {server.seen[0].request.transport, server.seen[-1].request.transport}
    return f"{len(of_parent)} connection{'s' * (len(of_parent) > 1)} of the parent"


async def _act(seen: Seen) -> web.StreamResponse:
    return await (stall(seen) if seen.body["seed"] == 99 else _say(seen))


async def _say(seen: Seen) -> web.StreamResponse:
    return web.json_response(answer("56"))
