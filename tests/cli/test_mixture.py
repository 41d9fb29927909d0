"""`egrm mixture` as a user runs it: against a server that follows a script, and killed halfway."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.cli.test_verify import egrm, ended, served, server_that, written
from tests.clients.fake_server import Seen, answer, stall

pytestmark = pytest.mark.slow  # each test runs the command line in a process

RIGHT, WRONG = "17+40=57;57+8=65;65-9=56;#56", "17+40=57;57+8=66;66-9=57;#57"


async def by_question(seen: Seen) -> web.StreamResponse:
    """Answer questions that begin with 1 directly and rightly; for others, disagree, and reason rightly at times."""
    text, n = seen.body["messages"][0]["content"], seen.body.get("n", 1)
    if text.endswith("="):
        return web.json_response(answer(*(["56"] * n if text.startswith("1") else [str(i) for i in range(n)])))
    return web.json_response(answer(RIGHT if seen.body["seed"] % 2 else WRONG))


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def questions(file: Path) -> Path:
    rows = [{"id": i, "question": f"{1 + i % 2}7+48-{9 + 10 * (i % 2)}", "reference": "56"} for i in range(6)]
    return written(file, *rows, {"id": "none", "question": "1+1"})


async def test_certain_questions_are_short_and_others_long(tmp_path: Path) -> None:
    source, output = questions(tmp_path / "in.jsonl"), tmp_path / "mix"
    async with (
        server_that(by_question) as server,
        egrm("mixture", source, *served(server, "--output", output, "--paths", 4)) as process,
    ):
        done = await ended(process)
    assert done.status == 1  # one line has no reference
    rows = lines(output / "mixture.jsonl")
    assert [row["kind"] for row in rows] == ["short", "long"] * 3
    assert rows[0]["prompt"][0]["content"] == "17+48-9="
    assert rows[1]["completion"] == [{"role": "assistant", "content": RIGHT}]
    [report] = done.lines
    assert (report["questions"], report["certain"], report["short"], report["long"]) == (6, 3, 3, 3)
    assert report["paths"] == 12
    assert report["mixture"] == str(output / "mixture.jsonl")
    assert "no 'reference'" in lines(output / "draws.jsonl")[-1]["error"]
    assert not (output / "control.jsonl").exists()


async def test_a_control_has_the_same_questions(tmp_path: Path) -> None:
    source, output = questions(tmp_path / "in.jsonl"), tmp_path / "mix"
    async with (
        server_that(by_question) as server,
        egrm("mixture", source, *served(server, "--output", output, "--paths", 4, "--control")) as process,
    ):
        [report] = (await ended(process)).lines
    assert report["paths"] == 24
    samples = [lines(output / name) for name in ("mixture.jsonl", "control.jsonl")]
    assert [row["id"] for row in samples[0]] == [row["id"] for row in samples[1]]
    assert report["control_tokens"] <= report["short_tokens"] + report["long_tokens"]


async def test_a_killed_and_resumed_mixture_is_the_same(tmp_path: Path) -> None:
    source, full, cut = questions(tmp_path / "in.jsonl"), tmp_path / "full", tmp_path / "cut"
    options = ["--paths", 2, "--concurrency", 1]
    async with (
        server_that(by_question) as server,
        egrm("mixture", source, *served(server, "--output", full, *options)) as process,
    ):
        await ended(process)
    async with (
        server_that(*[by_question] * 6, stall) as server,
        egrm("mixture", source, *served(server, "--output", cut, *options)) as process,
    ):
        await server.arrived(7)
        process.kill()
        await process.wait()
    assert not (cut / "mixture.jsonl").exists()
    async with (
        server_that(by_question) as server,
        egrm("mixture", source, *served(server, "--output", cut, "--resume", *options, "--threshold", 0.6)) as process,
    ):
        refused = await ended(process)
    assert refused.status == 2
    assert "threshold was 0.8 and is 0.6" in refused.err
    async with (
        server_that(by_question) as server,
        egrm("mixture", source, *served(server, "--output", cut, "--resume", *options)) as process,
    ):
        await ended(process)
    for name in ("mixture.jsonl", "draws.jsonl", "report.json"):
        assert (cut / name).read_bytes() == (full / name).read_bytes()
