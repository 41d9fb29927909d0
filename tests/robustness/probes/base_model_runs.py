"""Run the graph with a base model behind `/v1/completions`: status, route, answer, and confidence.

The model starts its own replies. The server sends the texts of each stage in turn. Like vLLM, it sends them up to the
requested stop texts, unless it `ignores_stop`. A text without a stop text is cut at its length limit.
"""

import itertools
from typing import Any

from aiohttp import web

from egrm_graph.graph import build_graph
from egrm_graph.settings import Settings
from tests.clients.fake_server import FakeServer, Seen


async def outcome(given: dict[str, Any]) -> list[Any]:
    stages = {"answer_fast": itertools.cycle(given["fast"]), "expand_cot": itertools.cycle(given.get("paths", [""]))}

    async def act(seen: Seen) -> web.Response:
        stage = "answer_fast" if "Give only the final answer" in seen.body["prompt"] else "expand_cot"
        stop = [] if given.get("ignores_stop") else seen.body["stop"]
        choices = [_choice(index, next(stages[stage]), stop) for index in range(seen.body["n"])]
        usage = {"prompt_tokens": 7, "completion_tokens": 64 * len(choices)}
        return web.json_response({"id": "cmpl-1", "choices": choices, "usage": usage})

    async with FakeServer(act).running() as server:
        settings = Settings(
            engine="vllm",
            model="tiny",
            base_url=(server.url,),
            endpoint="completions",
            task="answer",
            fast_reply="free",
            samples=3,
            paths=2,
        )
        verification = (await build_graph(settings, scorer=None).ainvoke({"question": "17+48?"}))["verification"]
    return [verification["status"], verification["route"], verification["answer"], verification["confidence"]]


def _choice(index: int, text: str, stop: list[str]) -> dict[str, Any]:
    places = [place for each in stop if (place := text.find(each)) >= 0]
    text = text[: min(places)] if places else text
    return {"index": index, "text": text, "finish_reason": "stop" if places else "length", "token_ids": [3] * 64}
