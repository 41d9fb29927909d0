"""`egrm rollouts` as a user runs it: against a server that follows a script, and killed halfway."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from egrm_graph.training.parquet import read_parquet
from egrm_graph.training.training_data import read_rollouts
from tests.cli.test_verify import egrm, ended, served, server_that, written
from tests.clients.fake_server import Seen, answer, stall

pytestmark = pytest.mark.slow  # each test runs the command line in a process

RIGHT, WRONG = "17+40=57;57+8=65;65-9=56;#56", "17+40=57;57+8=66;66-9=57;#57"
QUESTION = {"question": "17+48-9", "reference": "56"}


async def by_seed(seen: Seen) -> web.StreamResponse:
    """Return the same path for the same seed, each token with a probability of one half."""
    text = RIGHT if seen.body["seed"] % 3 else WRONG
    token = {"token": "x", "logprob": -0.6931, "top_logprobs": [{"token": "x", "logprob": -0.6931}]}
    body = answer(text)
    body["choices"][0]["logprobs"] = {"content": [token] * (len(text) + 1)}
    return web.json_response(body)


async def test_every_line_gets_its_paths_marked(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": "a", "level": 2, **QUESTION}, "{broken\n", {"question": "1+1"})
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, "--paths", 3, "--concurrency", 1)) as process,
    ):
        done = await ended(process)
    first, broken, without = done.lines
    assert (first["id"], first["level"], first["reference"]) == ("a", 2, "56")
    assert sorted(path["correct"] for path in first["paths"]) == [False, True, True]
    assert {path["min_logprob"] for path in first["paths"]} == {-0.6931}
    assert first["paths"][0]["logprob"] == round(-0.6931 * (len(RIGHT) + 1), 4)
    assert "not JSON" in broken["error"]
    assert "no 'reference'" in without["error"]
    assert done.status == 1
    assert "3 questions, 3 paths, 2 of them right, 2 bad lines" in done.err


async def test_a_killed_and_resumed_run_draws_nothing_twice_and_writes_the_same_file(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", *({"id": i, **QUESTION, "question": f"{i}+56-{i}"} for i in range(1, 25)))
    full, cut = tmp_path / "full.jsonl", tmp_path / "cut.jsonl"
    options = ["--paths", 2, "--concurrency", 4]
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, "--output", full, *options)) as process,
    ):
        assert (await ended(process)).status == 0
        assert len(server.seen) == 48
    # The paths of the first question hang. Later questions finish before it, and must not be lost with it.
    async with (
        server_that(stall, stall, *[by_seed] * 20, stall) as server,
        egrm("rollouts", source, *served(server, "--output", cut, *options)) as process,
    ):
        await server.arrived(23)
        async with asyncio.timeout(10):
            while not cut.exists() or cut.read_bytes().count(b"\n") < 10:
                await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
    saved = {json.loads(line)["id"] for line in cut.read_text().splitlines()}
    assert len(saved) == 10
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, "--output", cut, "--resume", *options)) as process,
    ):
        assert (await ended(process)).status == 0
        assert len(server.seen) == 48 - 20
    assert cut.read_bytes() == full.read_bytes()


async def test_a_repeated_id_is_an_error(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": "a", **QUESTION}, {"id": "a", **QUESTION})
    output = tmp_path / "out.jsonl"
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, "--paths", 2, "--output", output)) as process,
    ):
        assert (await ended(process)).status == 1
    assert [json.loads(line).get("error") for line in output.read_text().splitlines()] == [
        None,
        "the id 'a' was used before; give each line its own",
    ]


async def test_parquet_is_written_at_the_end_and_reads_like_the_lines(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": "a", "level": 2, **QUESTION}, {"id": "b", "question": "1+1"})
    lines, table = tmp_path / "out.jsonl", tmp_path / "out.parquet"
    for output in (lines, table):
        async with (
            server_that(by_seed) as server,
            egrm("rollouts", source, *served(server, "--paths", 3, "--output", output)) as process,
        ):
            assert (await ended(process)).status == 1  # the second line has no reference
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl", "out.parquet"]
    assert len(read_rollouts(table)) == 1
    assert read_rollouts(table) == read_rollouts(lines)
    assert "no 'reference'" in read_parquet(table)[1]["error"]


async def test_a_killed_run_to_parquet_resumes_where_it_was(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": 1, **QUESTION}, {"id": 2, **QUESTION, "question": "2+56-2"})
    output = tmp_path / "out.parquet"
    options = ["--paths", 1, "--concurrency", 1, "--output", output]
    async with server_that(by_seed, stall) as server, egrm("rollouts", source, *served(server, *options)) as process:
        await server.arrived(2)
        process.kill()
        await process.wait()
    assert not output.exists()
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, *options, "--resume")) as process,
    ):
        assert (await ended(process)).status == 0
        assert len(server.seen) == 1
    assert [rollout.id for rollout in read_rollouts(output)] == [1, 2]
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, *options, "--resume")) as process,
    ):
        done = await ended(process)
    assert (done.status, server.seen) == (2, [])
    assert "complete" in done.err


async def test_no_scorer_is_used_even_if_one_is_served(tmp_path: Path) -> None:
    source, output = written(tmp_path / "in.jsonl", QUESTION), tmp_path / "out.jsonl"
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, "--output", output, "--scorer-url", server.url)) as process,
    ):
        assert (await ended(process)).status == 0


async def test_resuming_with_another_number_of_paths_is_an_error(tmp_path: Path) -> None:
    source, output = written(tmp_path / "in.jsonl", {"id": 1, **QUESTION}), tmp_path / "out.jsonl"
    for paths, more in ((2, []), (3, ["--resume"])):
        async with (
            server_that(by_seed) as server,
            egrm("rollouts", source, *served(server, "--output", output, "--paths", paths, *more)) as process,
        ):
            done = await ended(process)
    assert (done.status, server.seen) == (2, [])
    assert "line 1 of" in done.err
    assert "has 2 paths, and --paths is 3; resume with --paths 2" in done.err
