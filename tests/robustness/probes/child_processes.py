"""Whether a child process can use what its parent uses: a graph with an engine, or a scorer."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import multiprocessing
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import web

from egrm_graph import Settings, build_graph
from egrm_graph.answers.equivalence import same
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.runtime.background_loop import BackgroundLoop
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.remote import RemoteScorer
from egrm_graph.scoring.scorer import Scorer
from egrm_graph.settings import BUNDLED_MODEL, BUNDLED_SCORER
from egrm_graph.tracing.store_reading import runs
from tests.clients.asking import ask as draw
from tests.clients.fake_server import FakeServer, Seen, answer
from tests.scoring.test_remote import answer as pooled

HANGS_S = {"fork": 20.0, "fork twice": 20.0, "spawn": 90.0}
"""A spawned child has to import everything again."""
QUESTION, STALLED = "17+48-9", "99+1"
PATHS = ["17+48=65;65-9=56;#56", "17+48=65;65-9=54;#54"]

Ask = Callable[[str], str]
"""From a question to an answer."""


async def outcome(given: dict[str, Any]) -> str:
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(_outcome(given)))  # away from the loop of the tests
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.01)
    return answers[0]


def _outcome(given: dict[str, Any]) -> str:
    with tempfile.TemporaryDirectory() as folder, _server() as server:
        with _busy(given, server.url, folder) as ask:
            first = None if given["parent"] == "idle" else ask(QUESTION)
            reply, exit_code = _in_child(given, server.url, folder, ask)
            if ":" in reply or "hangs" in reply:
                return reply
            after = ask(QUESTION)
        answers = {reply, after, first or after}
        ended = "both answer" if len(answers) == 1 and exit_code == 0 else f"answers {answers}, exit status {exit_code}"
        if not given.get("recorded"):
            return ended
        endings = _recorded(_store(given, folder), 3)
        return f"{ended}, {len(endings)} runs are recorded: {', '.join(endings)}"


def _recorded(store: Path, n: int) -> list[str]:
    """How the runs ended, once `n` are recorded or some seconds have passed."""
    until = time.monotonic() + 5
    while True:
        endings = [row.ending for row in runs(store) if row.question == QUESTION]
        if len(endings) >= n or time.monotonic() > until:
            return endings
        time.sleep(0.05)


def _part(given: dict[str, Any], url: str, folder: str) -> Ask:
    """What parent and child use. Each builds its own if it is not inherited."""
    part, async_ = given["part"], given.get("call") == "ainvoke"
    if part == "mathematics":
        return lambda question: str(same(rf"\frac{{{next(_COUNT)}}}{{2}}+x", f"{question}+x"))
    if part == "embedded, not on the CPU":
        client = EmbeddedClient.load(bundled(BUNDLED_MODEL), device="meta")
        return lambda _: asyncio.run(draw(client)).completions[0].text
    if part.startswith("scorer"):
        return _scoring(_scorer(part, url))
    recorded = {"trace_level": "full", "trace_store": _store(given, folder)} if given.get("recorded") else {}
    served = {"engine": "vllm", "model": "tiny", "base_url": (url,)} if part == "vllm" else {}
    settings = Settings.model_validate({"task": "arithmetic", **served, **recorded})
    graph: Any = build_graph(settings, scorer=None)

    def ask(question: str) -> str:
        state = {"question": question}
        return str((asyncio.run(graph.ainvoke(state)) if async_ else graph.invoke(state))["verification"]["answer"])

    return ask


_COUNT = itertools.count()


def _scorer(part: str, url: str) -> Scorer:
    folder = bundled(BUNDLED_SCORER)
    if part == "scorer on a server":
        return RemoteScorer(folder, [url])
    return ClassifierScorer.load(folder, device="meta" if "not on the CPU" in part else None)


def _scoring(scorer: Scorer) -> Ask:
    def ask(question: str) -> str:
        paths = [f"{question}=1000;#1000"] if question == STALLED else PATHS
        scores = asyncio.run(scorer.score(question, paths))
        return str([round(score, 3) for score in scores if isinstance(score, float)])

    return ask


def _store(given: dict[str, Any], folder: str) -> Path:
    return Path(folder) / ("lines" if given["recorded"] == "lines" else "runs.db")


@contextmanager
def _busy(given: dict[str, Any], url: str, folder: str) -> Iterator[Ask]:
    """The part. If the parent forks `during a run`, other threads use it until the end."""
    ask = _part(given, url, folder)
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            ask(STALLED)

    threads = [threading.Thread(target=work) for _ in range(2 if given["parent"] == "during a run" else 0)]
    for thread in threads:
        thread.start()
    time.sleep(0.2 if threads else 0)
    try:
        yield ask
    finally:
        over.set()
        for thread in threads:
            thread.join(20)


def _in_child(given: dict[str, Any], url: str, folder: str, ask: Ask) -> tuple[str, int | None]:
    context = multiprocessing.get_context("spawn" if given["start"] == "spawn" else "fork")
    inherited = None if given["start"] == "spawn" or given.get("built") == "in the child" else ask
    here, there = context.Pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns about forks with threads
        process: Any = context.Process(target=_answer, args=(there, given, url, folder, inherited))  # type: ignore[attr-defined]
        process.start()
    there.close()
    reply = str(here.recv()) if here.poll(HANGS_S[given["start"]]) else "the child hangs"
    process.join(10)
    if process.exitcode is None:
        process.kill()
        process.join()
        return reply if reply == "the child hangs" else "the child hangs at its end", None
    return reply, process.exitcode


def _answer(there: Connection, given: dict[str, Any], url: str, folder: str, inherited: Ask | None) -> None:
    if given["start"] == "fork twice":
        there.send(_in_child({**given, "start": "fork"}, url, folder, inherited or _part(given, url, folder))[0])
        return
    try:
        there.send((inherited or _part(given, url, folder))(QUESTION))
    except Exception as error:
        there.send(f"{type(error).__name__}: {error}")


@contextmanager
def _server() -> Iterator[FakeServer]:
    """A server on its own loop, because the probe blocks."""
    loop = BackgroundLoop("fake-server")
    server = FakeServer(_act, served=("tiny", BUNDLED_SCORER))
    running = server.running()
    loop.run(running.__aenter__())
    try:
        yield server
    finally:
        loop.run(running.__aexit__(None, None, None))
        loop.close()


async def _act(seen: Seen) -> web.StreamResponse:
    if seen.path == "/pooling":
        await asyncio.sleep(0.1)
        return web.json_response(pooled(*(math.log(3) for _ in seen.body["input"])))
    if STALLED in json.dumps(seen.body):
        await asyncio.sleep(0.5)
    return web.json_response(answer(*["56"] * seen.body["n"]))
