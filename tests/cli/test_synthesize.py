"""`egrm synthesize` as a user runs it: against a server that follows a script, and killed halfway."""

import json
import re
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from egrm_graph.fine_tuning.completion_rows import read_completion_rows
from tests.cli.test_verify import egrm, ended, written
from tests.clients.fake_server import Action, FakeServer, Seen, answer, refuse, stall
from tests.synthesis.writer import Writer

pytestmark = pytest.mark.slow  # each test runs the command line in a process

STAGES = {
    "Find the principles": "standardize",
    "into one group": "group_principles",
    "of the given principles": "rejudge",
    "Do what is asked there yourself": "solve",
}


async def write(seen: Seen) -> web.StreamResponse:
    """Reply as the scripted writer does, by what the prompt asks for."""
    text, number = seen.body["messages"][0]["content"], seen.body["seed"] % 2
    stage = next((name for passage, name in STAGES.items() if passage in text), "expand_cot")
    code = re.findall(r"\[end of [\w ]+ ([0-9a-f]{8})\]", text)[-1]
    writer = Writer(units=(Writer.units[0],) * 2, groups=("1, 3", "2, 4"))
    return web.json_response(answer(str(writer.reply_to(stage, number, code))))


def server_that(*script: Action) -> AbstractAsyncContextManager[FakeServer]:
    return FakeServer(*script, served=("mine",)).running()


def pairs(file: Path) -> Path:
    domains = ("preference", "correctness", "preference")
    rows = [
        {"id": i, "question": f"{i}+1?", "candidates": [str(i + 1), f"{i}1"], "reference": "A", "domain": domain}
        for i, domain in enumerate(domains)
    ]
    return written(file, *rows)


def options(server: FakeServer, output: Path, *more: object) -> list[object]:
    served = ["--engine", "vllm", "--base-url", server.url, "--model", "mine"]
    return [*served, "--task", "pairwise", "--output", output, "--concurrency", 1, *more]


async def test_pairs_become_rows_to_train_on_and_a_report(tmp_path: Path) -> None:
    source, output = pairs(tmp_path / "in.jsonl"), tmp_path / "made"
    written(tmp_path / "in.jsonl", *source.read_text().splitlines(keepends=True), {"id": "bad", "question": "1+1?"})
    async with server_that(write) as server, egrm("synthesize", source, *options(server, output)) as process:
        done = await ended(process)
    assert done.status == 1, done.err  # one line is not a pair
    rows = read_completion_rows(output / "judgments.jsonl")
    assert [(row.id, row.style, row.domain) for row in rows] == [
        (0, "breadth", "preference"),
        (1, "depth", "correctness"),
        (2, "breadth", "preference"),
    ]
    [report] = done.lines
    assert report["judgments"] == str(output / "judgments.jsonl")
    assert {name: value for name, value in report.items() if name != "judgments"} == json.loads(
        (output / "report.json").read_text()
    )
    assert {stage: usage["requests"] for stage, usage in report["calls"].items()} == {
        "rationales": 6,
        "units": 6,
        "groups": 3,
        "solution": 1,
        "depth": 1,
        "all": 17,
    }
    assert "3 rows from 3 pairs: 2 in breadth, 1 in depth" in done.err
    assert "candidates and reference missing" in (output / "stages.jsonl").read_text()


async def test_a_killed_and_resumed_synthesis_is_the_same_and_asks_nothing_twice(tmp_path: Path) -> None:
    source, full, cut = pairs(tmp_path / "in.jsonl"), tmp_path / "full", tmp_path / "cut"
    async with server_that(write) as server, egrm("synthesize", source, *options(server, full)) as process:
        assert (await ended(process)).status == 0
    # Five calls for the first pair. The tenth, for groups, needs the four before it.
    async with server_that(*[write] * 9, stall) as server:
        async with egrm("synthesize", source, *options(server, cut)) as process:
            await server.arrived(10)
            process.kill()
            await process.wait()
        assert len(server.seen) == 10
    async with server_that(write) as server:
        async with egrm("synthesize", source, *options(server, cut, "--resume", "--rationales", 3)) as process:
            refused = await ended(process)
        async with egrm("synthesize", source, *options(server, cut, "--resume")) as process:
            assert (await ended(process)).status == 0
        assert len(server.seen) == 17 - 9
    assert refused.status == 2
    assert "rationales was 2 and is 3" in refused.err
    for name in ("judgments.jsonl", "stages.jsonl", "report.json", "calls/draws.jsonl"):
        ours, theirs = ((folder / name).read_text().splitlines() for folder in (cut, full))
        assert len(ours) == len(theirs)
        if not name.startswith("calls"):
            assert ours == theirs


async def test_starting_over_asks_everything_again(tmp_path: Path) -> None:
    source, output = pairs(tmp_path / "in.jsonl"), tmp_path / "made"
    async with server_that(write) as server:
        for more in ([], ["--overwrite"]):
            async with egrm("synthesize", source, *options(server, output, *more)) as process:
                assert (await ended(process)).status == 0
        assert len(server.seen) == 2 * 17


async def test_without_any_judgment_the_command_fails_and_says_where_to_look(tmp_path: Path) -> None:
    source, output = pairs(tmp_path / "in.jsonl"), tmp_path / "made"

    async def silent(seen: Seen) -> web.StreamResponse:
        return web.json_response(answer("I cannot say."))

    async with server_that(silent) as server, egrm("synthesize", source, *options(server, output)) as process:
        done = await ended(process)
    assert done.status == 2
    assert "no pair gave a judgment" in done.err
    report: dict[str, Any] = json.loads((output / "report.json").read_text())
    assert report["stages"]["raw"]["figures"]["unreadable"] == 1
    assert {loss["cause"]: loss["count"] for loss in report["losses"]} == {
        "the last line is not a signed verdict": 6,
        "no rationale has a unit": 3,
    }


async def test_a_pair_whose_calls_fail_makes_the_status_1(tmp_path: Path) -> None:
    source, output = pairs(tmp_path / "in.jsonl"), tmp_path / "made"
    script = [write] * 5 + [refuse(400, "too long")] * 2 + [write]
    async with server_that(*script) as server, egrm("synthesize", source, *options(server, output)) as process:
        done = await ended(process)
    assert done.status == 1, done.err
    assert json.loads((output / "report.json").read_text())["rows"] == 2
    assert "1 lost" in done.err


async def test_a_server_that_is_gone_halfway_ends_the_run_which_can_be_resumed(tmp_path: Path) -> None:
    source, output = pairs(tmp_path / "in.jsonl"), tmp_path / "made"

    async def leave(seen: Seen) -> web.StreamResponse:
        server._cards.clear()  # it no longer serves the model
        return await refuse(404, "no such model")(seen)

    async with (
        server_that(*[write] * 7, leave) as server,
        egrm("synthesize", source, *options(server, output)) as process,
    ):
        gone = await ended(process)
    assert gone.status == 2, gone.err
    assert len((output / "stages.jsonl").read_text().splitlines()) == 1
    async with server_that(write) as server:
        async with egrm("synthesize", source, *options(server, output, "--resume")) as process:
            done = await ended(process)
        assert len(server.seen) == 17 - 7
    assert (done.status, done.lines[0]["rows"], done.lines[0]["failed_calls"]) == (0, 3, 0)
