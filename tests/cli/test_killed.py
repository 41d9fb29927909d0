"""`egrm verify --output`, killed at 50 random moments and resumed each time. It loses only the questions in progress,
and asks no finished question again."""

import asyncio
import json
import random
import re
import signal
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.cli.killed import ended, start
from tests.cli.test_verify import served, server_that, written
from tests.clients.fake_server import FakeServer, Seen, answer

pytestmark = pytest.mark.slow  # each test runs the command line in a process

KILLS = 50
QUESTIONS = 240
CONCURRENCY = 8
LONGEST_S = 0.2
"""The longest time until a kill, from the start of a process (every fifth) or from its first request."""
RUN_ID = re.compile(rb"\b[0-9a-f]{32}\b")
TIMES = re.compile(rb'"timing_ms": \{[^}]*\}')


def line(i: int) -> dict[str, Any]:
    """A unique question. Some lines share an id."""
    return {"id": f"q{i % 200}", "question": f"{i // 90 + 1}+{i % 90 + 1}"}


class DelayedModel:
    """Answers after a random delay, which is long for some questions. The answer depends only on the seed."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.answered: list[str] = []
        """The questions whose fast answers agree, so they need no other answer."""

    async def __call__(self, seen: Seen) -> web.Response:
        question = question_of(seen)
        await asyncio.sleep(0.5 if question.endswith("13") else self._chance.expovariate(1 / 0.01))
        if "chat_template_kwargs" not in seen.body:  # a path
            return web.json_response(answer(f"#{seen.body['seed'] % 3}"))
        if question.endswith("7"):
            return web.json_response(answer(*"0123"[: seen.body["n"]]))
        self.answered.append(question)
        return web.json_response(answer(*"0000"[: seen.body["n"]]))


def question_of(seen: Seen) -> str:
    return str(seen.body["messages"][0]["content"]).rstrip("=:")


def comparable(file: Path) -> bytes:
    """The file without what differs between runs: ids and times."""
    return TIMES.sub(b"", RUN_ID.sub(b"", file.read_bytes()))


def in_file(file: Path, lines: Sequence[dict[str, Any]]) -> set[str]:
    """The questions of the complete results in the file. Until it is sorted, a result without a line number belongs to
    the first line with its id."""
    raws = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    if len(raws) == len(lines):
        return {entry["question"] for entry in lines}
    numbers = {entry["id"]: i for i, entry in reversed(list(enumerate(lines, start=1)))}
    return {lines[found.get("line", numbers[found["id"]]) - 1]["question"] for found in map(json.loads, raws)}


async def first_request(server: FakeServer, n_before: int, process: BaseProcess) -> None:
    """Wait for the first request, or for the end of the process, which may have nothing left to ask."""
    tasks = [asyncio.create_task(work) for work in (server.arrived(n_before + 1), ended(process, 60))]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.timeout(240)
async def test_fifty_kills_lose_only_the_questions_in_progress(tmp_path: Path) -> None:
    chance = random.Random(5)
    lines = [line(i) for i in range(QUESTIONS)]
    source, full, cut = written(tmp_path / "in.jsonl", *lines), tmp_path / "full.jsonl", tmp_path / "cut.jsonl"
    log, model, n_kills = tmp_path / "log", DelayedModel(chance), 0
    async with server_that(model) as server:
        command = ["verify", source, *served(server, "--concurrency", CONCURRENCY, "--output")]
        assert await ended(start([*command, full], log), 60) == 0, log.read_text()
        while n_kills < KILLS:
            before, n_before, n_answered = in_file(cut, lines), len(server.seen), len(model.answered)
            process = start([*command, cut, "--resume"], log)
            if chance.random() < 0.8:
                await first_request(server, n_before, process)
            assert await ended(process, chance.uniform(0, LONGEST_S)) in (None, 0), log.read_text()
            process.kill()
            process.join()
            now = in_file(cut, lines)
            assert before <= now
            assert before.isdisjoint(map(question_of, server.seen[n_before:]))
            assert len(set(model.answered[n_answered:]) - now) <= CONCURRENCY
            n_kills += process.exitcode == -signal.SIGKILL
            if process.exitcode == 0:  # it finished, so start over
                assert comparable(cut) == comparable(full)
                cut.unlink()
        assert await ended(start([*command, cut, "--resume"], log), 60) == 0, log.read_text()
    assert comparable(cut) == comparable(full)
