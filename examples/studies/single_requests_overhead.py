"""Measure what a fast answer costs as a request of its own: `python examples/studies/single_requests_overhead.py`.

A canned server answers, as in `client_overhead.py`. Rounds of the same questions go in turn through the graph with one
request for all samples, through the graph with `single_requests`, and, with `--its-hub`, through the self-consistency
of its_hub, which always sends single requests. Each draws all samples. The graph streams single requests if the
stopping rule may cancel them. So it is measured twice: with `stopping="all"`, and with a rule that may stop but never
does. Figures are CPU time of the client in all threads, as medians over the rounds with 95 % intervals. Ratios are
taken within a round.

its_hub needs an environment of its own: `python -m venv its && its/bin/pip install "its_hub[lm]"`, and then
`--its-hub its/bin/python`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from canned_server import canned_server
from client_overhead import Figure, cell, figure, round_of, through_graph

from egrm_graph.clients.server_client import ServerClient
from egrm_graph.settings import BUNDLED_MODEL, Settings
from egrm_graph.terminal.tables import Table, standard_output
from egrm_graph.uncertainty.stopping import Standing

ONE = "graph, one request"
SINGLE = "graph, single requests"
STREAMED = "graph, streamed single requests"
ITS_HUB = "its_hub"
Round = Callable[[Sequence[str]], Awaitable[float]]
"""Asks the questions, and gives the CPU time in milliseconds a question."""


def never(standing: Standing) -> bool:  # noqa: ARG001 - a rule
    """Stops no earlier than `all`, but the graph cannot know that."""
    return False


def through(client: ServerClient, samples: int, in_flight: int, *, single: bool, stopping: str = "all") -> Round:
    work = through_graph(
        Settings(
            engine="vllm",
            model=BUNDLED_MODEL,
            scorer=None,
            threshold=0,
            stopping=stopping,
            samples=samples,
            single_requests=single,
        ),
        client,
        [never],
    )

    async def ask(questions: Sequence[str]) -> float:
        return (await round_of(work, questions, in_flight)).cpu_ms

    return ask


@contextmanager
def its_hub(python: str, base_url: str, samples: int, in_flight: int) -> Iterator[Round]:
    """its_hub in a process of its own."""
    script = Path(__file__).with_name("its_hub_rounds.py")
    with Popen([python, str(script), base_url, str(samples), str(in_flight)], stdin=PIPE, stdout=PIPE, text=True) as it:

        def exchange(line: str) -> str:
            assert it.stdin is not None
            assert it.stdout is not None
            it.stdin.write(line)
            it.stdin.flush()
            if not (answer := it.stdout.readline()):
                raise RuntimeError("its_hub ended; its error is above")
            return answer

        async def ask(questions: Sequence[str]) -> float:
            return float(await asyncio.to_thread(exchange, json.dumps(questions) + "\n"))

        try:
            yield ask
        finally:
            assert it.stdin is not None
            it.stdin.close()


async def measure(
    base_url: str, *, questions: int, rounds: int, in_flight: int, samples: int, its_hub_python: str | None
) -> dict[str, list[float]]:
    """The CPU time of each round by way, in milliseconds a question, after one round of each that does not count."""
    draw = random.Random(0)
    texts = [f"{draw.randint(1, 99)}+{draw.randint(1, 99)}-{draw.randint(1, 9)}" for _ in range(questions)]
    client = ServerClient(BUNDLED_MODEL, (base_url,))
    ways = {
        ONE: through(client, samples, in_flight, single=False),
        SINGLE: through(client, samples, in_flight, single=True),
        STREAMED: through(client, samples, in_flight, single=True, stopping=never.__name__),
    }

    async def measured() -> dict[str, list[float]]:
        costs: dict[str, list[float]] = {name: [] for name in ways}
        for i in range(rounds + 1):
            for name in sorted(ways, reverse=i % 2 == 0):
                cost = await ways[name](texts)
                costs[name] += [cost] if i > 0 else []
        return costs

    try:
        if its_hub_python is None:
            return await measured()
        with its_hub(its_hub_python, base_url, samples, in_flight) as ways[ITS_HUB]:
            return await measured()
    finally:
        await client.aclose()


def over(costs: Sequence[float], base: Sequence[float]) -> Figure:
    """The ratio to the base within each round."""
    return figure([one / other for one, other in zip(costs, base, strict=True)])


def table(costs: dict[str, list[float]], title: str) -> Table:
    made = Table("", "client CPU ms/question", f"over {ITS_HUB}" if ITS_HUB in costs else "", title=title)
    for name, values in costs.items():
        ratio = cell(over(values, costs[ITS_HUB])) if ITS_HUB in costs and name != ITS_HUB else ""
        made.add_row(name, cell(figure(values)), ratio)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--questions", type=int, default=160, help="questions per round (default 160)")
    parser.add_argument("--rounds", type=int, default=11, help="counted rounds (default 11)")
    parser.add_argument("--in-flight", type=int, default=32, help="questions at once (default 32)")
    parser.add_argument("--samples", type=int, default=8, help="fast answers per question (default 8)")
    parser.add_argument("--delay-ms", type=float, default=100.0, help="mean delay of the server (default 100)")
    parser.add_argument("--its-hub", metavar="PYTHON", help="the interpreter of an environment with its_hub[lm]")
    parser.add_argument(
        "--freeze", action="store_true", help="call gc.freeze() first, as a program may once it has built its graph"
    )
    options = parser.parse_args()
    if options.freeze:
        gc.freeze()
    with canned_server(options.delay_ms / 1e3) as base_url:
        costs = asyncio.run(
            measure(
                base_url,
                questions=options.questions,
                rounds=options.rounds,
                in_flight=options.in_flight,
                samples=options.samples,
                its_hub_python=options.its_hub,
            )
        )
    asked = f"{options.rounds} rounds of {options.questions} questions, {options.in_flight} in flight"
    title = f"{asked}, {options.samples} fast answers each, answered after {options.delay_ms:g} ms on average"
    standard_output().print(table(costs, title))


if __name__ == "__main__":
    main()
