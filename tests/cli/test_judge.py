"""`egrm verify` and `egrm ask` with candidates: against a server that judges sums."""

import json
import re
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.test_verify import egrm, ended, served, server_that, written
from tests.clients.fake_server import Seen, answer

pytestmark = pytest.mark.slow  # each test runs the command line in a process

RIGHT, WRONG = "17+48=65;#65", "#66"


async def judge(seen: Seen) -> web.StreamResponse:
    """Reply with the letter after 65, or a tie if there are two."""
    [message] = seen.body["messages"]
    letters = re.findall("65([A-H])", message["content"])
    verdict = letters[0] if len(letters) == 1 else "="
    return web.json_response(answer(*[f"65{verdict}"] * seen.body["n"]))


async def test_pairs_are_judged_line_by_line(tmp_path: Path) -> None:
    source = written(
        tmp_path / "pairs.jsonl",
        {"id": "a", "question": "17+48", "candidates": [RIGHT, WRONG]},
        {"id": "b", "question": "17+48", "candidates": [WRONG, RIGHT]},
        {"id": "tie", "question": "17+48", "candidates": ["65", "#65"]},
        {"id": "equal", "question": "17+48", "candidates": [WRONG, WRONG]},
        {"id": "three", "question": "17+48", "candidates": [WRONG, RIGHT, "1"]},
        {"id": "none", "question": "17+48"},
        {"id": "text", "question": "17+48", "candidates": "#65"},
        {"id": "empty", "question": "17+48", "candidates": [RIGHT, "who knows"]},
    )
    async with (
        server_that(judge) as server,
        egrm("verify", source, *served(server, "--task", "pairwise")) as process,
    ):
        done = await ended(process)
    results = {line["id"]: line for line in done.lines}
    assert [(results[name]["answer"], results[name]["winner"]) for name in "ab"] == [("A", 0), ("B", 1)]
    assert (results["a"]["rewards"], results["a"]["tie"]) == ([1.0, 0.0], 0.0)
    assert (results["tie"]["answer"], results["tie"]["winner"], results["tie"]["rewards"]) == ("tie", None, [0.0, 0.0])
    assert (results["equal"]["answer"], results["equal"]["usage"]["requests"]) == ("tie", 0)
    assert "takes 2 candidates, not 3" in results["three"]["error"]
    assert "judges 'candidates'" in results["none"]["error"]
    assert results["text"]["error"] == "candidates is a string; use a list"
    assert (results["empty"]["status"], results["empty"]["rewards"]) == ("abstained", [None, None])
    assert results["empty"]["unrewarded"] == ["no verdict was reached", "it contains no number"]
    assert done.status == 1


async def test_a_question_task_says_what_to_do_with_candidates(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"question": "17+48", "candidates": [RIGHT, WRONG]})
    async with server_that(judge) as server, egrm("verify", source, *served(server)) as process:
        [line] = (await ended(process)).lines
    assert "set task (--task) to pairwise" in line["error"]


async def test_ask_takes_its_task_from_the_number_of_candidates() -> None:
    async with server_that(judge) as server:
        candidates = ["--candidate", WRONG, "--candidate", RIGHT, "--candidate", "#67"]
        async with egrm("ask", "17+48", *candidates, *served(server, "--json")) as process:
            verification = json.loads((await ended(process)).out)
        async with egrm("ask", "17+48", *candidates[:4], *served(server)) as process:
            printed = (await ended(process)).out
    assert (verification["answer"], verification["winner"], verification["tie"]) == ("B", 1, None)
    assert printed.splitlines()[:2] == ["B", "ok · direct · confidence 1.00"]
    assert re.search(r"A +0\.00\s+B +1\.00\s+tie +0\.00", printed)
    assert "they converge (orders agree)" in printed
