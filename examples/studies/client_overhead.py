"""Measure what the graph costs in addition to the model: `python examples/studies/client_overhead.py`.

A server in a separate process gives every request the same answer after a delay, so all questions take the direct
route. Rounds of the same requests go in turn through the graph, through a LangGraph graph with the same nodes that only
send the request, and through a bare aiohttp loop. Each figure is the median over the rounds with a 95 % interval (by
order statistics). Ratios are taken within a round.
With `--base-url`, a real vLLM server with the bundled model answers instead, and the gate is always open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from math import comb
from typing import Any, TypedDict

import aiohttp
from canned_server import canned_server
from langgraph.graph import END, START, StateGraph

from egrm_graph.clients.client import Sampling
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.clients.server_requests import sample_body
from egrm_graph.graph import build_graph
from egrm_graph.settings import BUNDLED_MODEL, Settings
from egrm_graph.terminal.tables import Table, standard_output
from egrm_graph.uncertainty.stopping import StoppingRule
from egrm_graph.verification import Message

Work = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Figure:
    """A median over the rounds and its 95 % interval."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """The cost of one round per question: CPU time of the client, in all threads, and wall time."""

    cpu_ms: float
    wall_ms: float


@dataclass(frozen=True)
class Report:
    questions: int
    rounds: int
    in_flight: int
    delay_ms: float | None
    """Mean delay of the canned server; None for a real one."""
    graph_cpu_ms: Figure
    langgraph_cpu_ms: Figure
    bare_cpu_ms: Figure
    graph_wall_ms: Figure
    langgraph_wall_ms: Figure
    bare_wall_ms: Figure
    wall_ratio: Figure
    langgraph_wall_ratio: Figure


def figure(values: Sequence[float]) -> Figure:
    """The median, and the narrowest pair of order statistics that contains it with at least 95 %. With fewer than six
    values it is the lowest and the highest, which contain it with less."""
    ordered, n = sorted(values), len(values)
    k = 0
    while 2 * sum(comb(n, i) for i in range(k + 2)) <= 0.05 * 2**n:
        k += 1
    return Figure(statistics.median(ordered), ordered[k], ordered[n - 1 - k])


async def round_of(
    work: Work, questions: Sequence[str], in_flight: int, finish: Callable[[], object] = lambda: None
) -> Cost:
    """Ask all questions, at most `in_flight` at once. The time of `finish` counts too."""
    remaining = iter(questions)

    async def worker() -> None:
        for question in remaining:
            await work(question)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    finish()
    scale = 1e3 / len(questions)
    return Cost((time.process_time() - cpu) * scale, (time.perf_counter() - wall) * scale)


def through_graph(settings: Settings, client: ServerClient, rules: Sequence[StoppingRule] = ()) -> Work:
    graph = build_graph(settings, client=client, scorer=None, stopping_rules=rules)

    async def work(question: str) -> None:
        verification = (await graph.ainvoke({"question": question}))["verification"]
        assert (verification["route"], verification["status"]) == ("direct", "ok"), verification

    return work


def through_aiohttp(settings: Settings, base_url: str, session: aiohttp.ClientSession) -> Work:
    """The same requests, whose responses are only read."""
    sampling = Sampling(
        settings.fast_temperature, settings.fast_max_tokens, settings.fast_top_p, thinking=settings.fast_thinking
    )

    async def work(question: str) -> None:
        prompt = [Message(role="user", content=f"{question}=")]
        body = sample_body("chat", settings.model, prompt, sampling, range(settings.samples), switch=True)
        async with session.post(f"{base_url}/chat/completions", json=body) as response:
            assert len((await response.json())["choices"]) == settings.samples

    return work


class BareState(TypedDict):
    question: str


def through_langgraph(request: Work) -> Work:
    """The request in a LangGraph graph with the nodes of the direct route: the cost of any such graph."""

    async def ask(state: BareState) -> dict[str, Any]:
        await request(state["question"])
        return {}

    async def nothing(state: BareState) -> dict[str, Any]:  # noqa: ARG001 - the signature of LangGraph
        return {}

    async def route(_: BareState) -> str:
        return "select_answer"

    builder = StateGraph(BareState)
    builder.add_node("answer_fast", ask)
    builder.add_node("check_uncertainty", nothing)
    builder.add_node("select_answer", nothing)
    builder.add_edge(START, "answer_fast")
    builder.add_edge("answer_fast", "check_uncertainty")
    builder.add_conditional_edges("check_uncertainty", route, ["select_answer"])
    builder.add_edge("select_answer", END)
    graph = builder.compile()

    async def work(question: str) -> None:
        await graph.ainvoke({"question": question})

    return work


async def measure_canned(questions: int, rounds: int, in_flight: int, delay_ms: float) -> Report:
    """Measure against a canned server with this mean delay."""
    with canned_server(delay_ms / 1e3) as base_url:
        return await measure(base_url, questions, rounds, in_flight, delay_ms)


async def measure(base_url: str, questions: int, rounds: int, in_flight: int, delay_ms: float | None = None) -> Report:
    """Measure all rounds, after one of each that does not count."""
    draw = random.Random(0)
    texts = [f"{draw.randint(1, 99)}+{draw.randint(1, 99)}-{draw.randint(1, 9)}" for _ in range(questions)]
    settings = Settings(
        engine="vllm", model=BUNDLED_MODEL, base_url=(base_url,), scorer=None, threshold=0, stopping="all"
    )
    client = ServerClient(settings.model, settings.base_url)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        bare = through_aiohttp(settings, base_url, session)
        works = {"graph": through_graph(settings, client), "langgraph": through_langgraph(bare), "bare": bare}
        costs: dict[str, list[Cost]] = {name: [] for name in works}
        for i in range(rounds + 1):
            for name in sorted(works, reverse=i % 2 == 0):
                cost = await round_of(works[name], texts, in_flight)
                costs[name] += [cost] if i > 0 else []
    await client.aclose()
    return report(**costs, questions=questions, in_flight=in_flight, delay_ms=delay_ms)


def report(graph: Sequence[Cost], langgraph: Sequence[Cost], bare: Sequence[Cost], **setting: Any) -> Report:
    def ratio(costs: Sequence[Cost]) -> Figure:
        return figure([one.wall_ms / other.wall_ms for one, other in zip(costs, bare, strict=True)])

    return Report(
        **setting,
        rounds=len(graph),
        graph_cpu_ms=figure([cost.cpu_ms for cost in graph]),
        langgraph_cpu_ms=figure([cost.cpu_ms for cost in langgraph]),
        bare_cpu_ms=figure([cost.cpu_ms for cost in bare]),
        graph_wall_ms=figure([cost.wall_ms for cost in graph]),
        langgraph_wall_ms=figure([cost.wall_ms for cost in langgraph]),
        bare_wall_ms=figure([cost.wall_ms for cost in bare]),
        wall_ratio=ratio(graph),
        langgraph_wall_ratio=ratio(langgraph),
    )


def table(result: Report) -> Table:
    answered = "by a vLLM server" if result.delay_ms is None else f"after {result.delay_ms:g} ms on average"
    title = f"{result.rounds} rounds of {result.questions} questions, {result.in_flight} in flight, answered {answered}"
    made = Table("", "client CPU ms/question", "wall ms/question", "wall over bare loop", title=title)
    for name, cpu, wall, ratio in (
        ("graph, direct route", result.graph_cpu_ms, result.graph_wall_ms, cell(result.wall_ratio)),
        ("empty LangGraph", result.langgraph_cpu_ms, result.langgraph_wall_ms, cell(result.langgraph_wall_ratio)),
        ("bare aiohttp loop", result.bare_cpu_ms, result.bare_wall_ms, ""),
    ):
        made.add_row(name, cell(cpu), cell(wall), ratio)
    return made


def cell(value: Figure) -> str:
    """The median with its interval."""
    return f"{value.median:.2f} ({value.low:.2f}-{value.high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--questions", type=int, default=320, help="questions per round (default 320)")
    parser.add_argument("--rounds", type=int, default=11, help="counted rounds (default 11)")
    parser.add_argument("--in-flight", type=int, default=32, help="questions at once (default 32)")
    parser.add_argument(
        "--delay-ms",
        type=float,
        nargs="+",
        default=[50.0, 100.0, 250.0],
        help="mean delays of the server, each measured separately (default 50 100 250)",
    )
    parser.add_argument("--base-url", help="a vLLM server with egrm-tiny, instead of the canned one")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    options = parser.parse_args()
    size = (options.questions, options.rounds, options.in_flight)
    works = (
        [measure(options.base_url, *size)]
        if options.base_url
        else [measure_canned(*size, delay_ms) for delay_ms in options.delay_ms]
    )
    for work in works:
        result = asyncio.run(work)
        if options.json:
            print(json.dumps(asdict(result)))
        else:
            standard_output().print(table(result))


if __name__ == "__main__":
    main()
