"""The comparison of the demo, and the question that it shows step by step."""

import asyncio
import io

import pytest
from aiohttp import web
from rich.console import Console

from egrm_graph import Settings
from egrm_graph.benchmark.held_out import held_out
from egrm_graph.cli.demo import run_demo
from tests.cli.test_verify import server_that
from tests.clients.fake_server import Seen, answer

TURN_S = 0.02


class OneByOne:
    """A server that handles one request at a time, and whose fast answers never agree."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def __call__(self, seen: Seen) -> web.Response:
        async with self._turn:
            await asyncio.sleep(TURN_S)
        terms = str(seen.body["messages"][0]["content"]).rstrip("=:").replace("-", "+-").split("+")
        right = sum(int(term) for term in terms)
        texts = [str(right + i) for i in range(seen.body["n"])] if seen.body["n"] > 1 else [f"#{right}"]
        return web.json_response(answer(*texts))


@pytest.mark.slow
async def test_the_example_has_the_time_that_it_takes_on_its_own() -> None:
    async with server_that(OneByOne()) as server:
        settings = Settings(engine="vllm", model="egrm-tiny", base_url=(server.url,), scorer=None)
        result = await run_demo(settings, None, held_out(12), 12, Console(file=io.StringIO()))
    assert result.example is not None
    verification, question = result.example
    among_others = dict(zip(result.trials[-1].questions, result.trials[-1].outcomes, strict=True))[
        question
    ].verification
    assert among_others is not None
    assert (verification["answer"], verification["route"]) == (among_others["answer"], among_others["route"])
    alone_ms, among_ms = (sum(result["timing_ms"].values()) for result in (verification, among_others))
    assert alone_ms < among_ms / 2
