"""What the workers of a real gunicorn answer, if the graph was loaded before the fork."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import unused_port

from tests.clients.fake_server import FakeServer, Seen, answer

WAIT_S = 60.0
APP = """
import json, os
from egrm_graph import Settings, build_graph

given = json.loads(os.environ["GIVEN"])
graph = build_graph(Settings(task="arithmetic", **given["settings"]))

def answer():
    return graph.invoke({"question": "17+48-9"})["verification"]["answer"]

if given["before"] == "a run":
    answer()

def app(environ, start_response):
    body = f"{os.getpid()} {answer()}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


async def outcome(given: dict[str, Any]) -> str:
    async with FakeServer(_say_56).running() as server:
        settings: dict[str, Any] = {"engine": given["engine"], "trace_level": given.get("trace_level", "off")}
        if given["engine"] == "vllm":
            settings |= {"model": "tiny", "base_url": [server.url], "scorer": None}
        with tempfile.TemporaryDirectory() as folder:
            options = {"settings": settings | {"trace_store": f"{folder}/runs.db"}, "before": given["before"]}
            port = unused_port()
            with _gunicorn(Path(folder), given["workers"], port, options) as process:
                answers = await _answers(f"http://127.0.0.1:{port}", process)
                process.send_signal(signal.SIGTERM)
                status = await asyncio.to_thread(process.wait, 20)
    right = list(answers.values()).count("56")
    return f"{right} of {len(answers)} workers answer, exit status {status}"


async def _say_56(seen: Seen) -> web.StreamResponse:
    return web.json_response(answer(*["56"] * seen.body["n"]))


@contextmanager
def _gunicorn(folder: Path, workers: str, port: int, options: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    (folder / "preloaded.py").write_text(APP)
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--worker-class", workers]
    command += ["--bind", f"127.0.0.1:{port}", "--timeout", "20", "--graceful-timeout", "5", "preloaded:app"]
    environment = os.environ | {"GIVEN": json.dumps(options), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def _answers(url: str, process: subprocess.Popen[bytes]) -> dict[str, str]:
    """The answers by worker, once both have answered. Concurrent requests reach both."""
    answers: dict[str, str] = {}
    until = time.monotonic() + WAIT_S
    while len(answers) < 2 and time.monotonic() < until and process.poll() is None:
        for reply in await asyncio.gather(*(_get(url) for _ in range(4)), return_exceptions=True):
            if isinstance(reply, str):
                worker, text = reply.split()
                answers[worker] = text
        await asyncio.sleep(0.1)
    return answers


async def _get(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url, timeout=aiohttp.ClientTimeout(20)) as response:
        return await response.text()
