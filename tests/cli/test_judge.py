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
    """Says the letter that stands behind the 65, or a tie where there are two."""
    [message] = seen.body["messages"]
    letters = re.findall("65([A-H])", message["content"])
    verdict = letters[0] if len(letters) == 1 else "="
    return web.json_response(answer(*[f"65{verdict}"] * seen.body["n"]))


async def test_pairs_are_judged_line_by_line(tmp_path: Path) -> None:
    given = written(
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
        egrm("verify", given, *served(server, "--task", "pairwise")) as process,
    ):
        done = await ended(process)
    told = {line["id"]: line for line in done.lines}
    assert [(told[name]["answer"], told[name]["winner"]) for name in "ab"] == [("A", 0), ("B", 1)]
    assert (told["a"]["rewards"], told["a"]["tie"]) == ([1.0, 0.0], 0.0)
    assert (told["tie"]["answer"], told["tie"]["winner"], told["tie"]["rewards"]) == ("tie", None, [0.0, 0.0])
    assert (told["equal"]["answer"], told["equal"]["usage"]["requests"]) == ("tie", 0)
    assert "takes 2 candidates, not 3" in told["three"]["error"]
    assert "judges 'candidates'" in told["none"]["error"]
    assert told["text"]["error"] == "candidates is a string; give a list"
    assert (told["empty"]["status"], told["empty"]["rewards"]) == ("abstained", [None, None])
    assert told["empty"]["unrewarded"] == ["no verdict was reached", "there is no number in it"]
    assert done.status == 1


async def test_a_question_task_says_what_to_do_with_candidates(tmp_path: Path) -> None:
    given = written(tmp_path / "in.jsonl", {"question": "17+48", "candidates": [RIGHT, WRONG]})
    async with server_that(judge) as server, egrm("verify", given, *served(server)) as process:
        [line] = (await ended(process)).lines
    assert "set task (--task) to pairwise" in line["error"]


async def test_ask_takes_its_task_from_the_number_of_candidates() -> None:
    async with server_that(judge) as server:
        candidates = ["--candidate", WRONG, "--candidate", RIGHT, "--candidate", "#67"]
        async with egrm("ask", "17+48", *candidates, *served(server, "--json")) as process:
            told = json.loads((await ended(process)).out)
        async with egrm("ask", "17+48", *candidates[:4], *served(server)) as process:
            shown = (await ended(process)).out
    assert (told["answer"], told["winner"], told["tie"]) == ("B", 1, None)
    assert shown.splitlines()[:2] == ["B", "ok · direct · confidence 1.00"]
    assert re.search(r"A +0\.00\s+B +1\.00\s+tie +0\.00", shown)
    assert "they converge (orders agree)" in shown
