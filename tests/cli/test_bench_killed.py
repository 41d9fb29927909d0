"""`egrm bench --draws`, killed at random moments and resumed. It asks the model for no saved completion again."""

import asyncio
import json
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.cli.killed import ended, start
from tests.cli.test_killed import first_request
from tests.cli.test_verify import served, server_that, written
from tests.clients.fake_server import Seen, answer

pytestmark = pytest.mark.slow  # each test runs the command line in a process

KILLS = 6
QUESTIONS = 60
CONCURRENCY = 4


class DelayedModel:
    """Answers after a short random delay. The answers depend only on the prompt and the seed."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, seen: Seen) -> web.Response:
        question, first, n = seen.body["messages"][0]["content"], seen.body["seed"], seen.body.get("n", 1)
        seeds = range(first, first + n)
        self.asked += [(question, seed) for seed in seeds]
        await asyncio.sleep(self._chance.expovariate(1 / 0.01))
        return web.json_response(answer(*(f"#{seed % 3}" if n == 1 else str(seed % 2) for seed in seeds)))


def saved_in(folder: Path) -> list[tuple[str, int]]:
    """The complete draws."""
    file = folder / "draws.jsonl"
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    return [(row["prompt"][0]["content"], row["seed"]) for row in map(json.loads, lines)]


def results_of(folder: Path) -> list[dict[str, Any]]:
    rows = map(json.loads, (folder / "results.jsonl").read_text().splitlines())
    return sorted(rows, key=lambda row: (row["method"], row["id"]))


@pytest.mark.timeout(240)
async def test_kills_lose_only_the_draws_in_progress(tmp_path: Path) -> None:
    chance = random.Random(7)
    source = written(
        tmp_path / "in.jsonl", *({"question": f"{i}+1", "reference": str(i % 3)} for i in range(QUESTIONS))
    )
    log, model = tmp_path / "log", DelayedModel(chance)
    async with server_that(model) as server:
        options = ["--task", "arithmetic", "--concurrency", CONCURRENCY, "--methods", "never,always,egrm,sc@6"]
        command = ["bench", source, *served(server), *options, "--output"]
        assert await ended(start([*command, tmp_path / "full", "--draws", tmp_path / "once"], log), 120) == 0
        n_kills = 0
        cut = [*command, tmp_path / "cut", "--draws", tmp_path / "draws", "--resume"]
        for _ in range(KILLS):
            before, n_asked = set(saved_in(tmp_path / "draws")), len(model.asked)
            n_seen, process = len(server.seen), start(cut, log)
            await first_request(server, n_seen, process)
            await ended(process, chance.uniform(0, 0.2))
            process.kill()
            process.join()
            n_kills += process.exitcode == -signal.SIGKILL
            assert before <= set(saved_in(tmp_path / "draws"))
            assert before.isdisjoint(model.asked[n_asked:])
        assert await ended(start(cut, log), 120) == 0, log.read_text()
    assert n_kills == KILLS
    assert max(Counter(saved_in(tmp_path / "draws")).values()) == 1
    assert set(saved_in(tmp_path / "draws")) == set(saved_in(tmp_path / "once"))
    assert results_of(tmp_path / "cut") == results_of(tmp_path / "full")
