"""What recording runs costs: `python examples/studies/tracing_overhead.py`.

The same rounds of questions go, in an order drawn anew each time, through graphs that record nothing, summaries, and
whole runs, into an SQLite store each, against the canned server of the overhead benchmark; a round ends when its
records are written. Figures are means over all rounds, and ratios of such means, with 95 % intervals by the bootstrap
over rounds: Python's garbage collector goes through the whole program now and then, and a median over rounds would see
it always or never. With `--telemetry` runs that are not recorded are told as OpenTelemetry spans, too, to an exporter
that throws them away (it takes opentelemetry-sdk). With `--base-url` a real vLLM server that serves the bundled model
answers in the canned one's place, and tokens with their alternatives are recorded, too, which has the server's answers
streamed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from canned_server import canned_server
from client_overhead import Cost, Work, round_of

from egrm_graph.clients.server_client import ServerClient
from egrm_graph.graph import build_graph
from egrm_graph.intervals import Columns, Estimate, bootstrap
from egrm_graph.settings import BUNDLED_MODEL, Settings
from egrm_graph.terminal.tables import Table, standard_output
from egrm_graph.tracing.opening import open_store
from egrm_graph.tracing.store import Store

LEVELS: dict[str, dict[str, Any]] = {
    "off": {},
    "summary": {"trace_level": "summary"},
    "full": {"trace_level": "full"},
}
SPANS: dict[str, dict[str, Any]] = {"spans": {"telemetry": "on"}}
TOKENS: dict[str, dict[str, Any]] = {"full, 5 alternatives a token": {"trace_level": "full", "trace_tokens": 5}}


@dataclass(frozen=True)
class Level:
    """What a question costs at one level."""

    name: str
    cpu_ms: Estimate
    cpu_ratio: Estimate
    wall_ratio: Estimate
    record_bytes: float


def export_spans_nowhere() -> None:
    """Raises:
    ModuleNotFoundError: there is no opentelemetry-sdk.
    """
    from opentelemetry import trace
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - OpenTelemetry's signature
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(provider)


async def measure(base_url: str, levels: Mapping[str, Mapping[str, Any]], args: argparse.Namespace) -> list[Level]:
    """The rounds, after one of each that does not count."""
    draw = random.Random(0)
    asked = [f"{draw.randint(1, 99)}+{draw.randint(1, 99)}-{draw.randint(1, 9)}" for _ in range(args.questions)]
    client = ServerClient(BUNDLED_MODEL, (base_url,))
    costs: dict[str, list[Cost]] = {name: [] for name in levels}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as open_stores:
        files = {name: Path(folder) / f"{i}.db" for i, name in enumerate(levels)}
        stores = {name: open_store(file, None, None) for name, file in files.items()}
        for store in stores.values():
            open_stores.callback(store.close)
        works = {name: _through(base_url, client, stores[name], dict(levels[name])) for name in levels}
        order = list(works)
        for i in range(args.rounds + 1):
            draw.shuffle(order)
            for name in order:
                cost = await round_of(works[name], asked, args.in_flight, stores[name].flush)
                costs[name] += [cost] if i > 0 else []
        n_records = (args.rounds + 1) * args.questions
        sizes = {name: file.stat().st_size / n_records if file.exists() else 0.0 for name, file in files.items()}
    await client.aclose()
    return [level_of(name, costs[name], costs["off"], sizes[name]) for name in levels]


def _through(base_url: str, client: ServerClient, store: Store, changes: dict[str, Any]) -> Work:
    settings: dict[str, Any] = {"engine": "vllm", "model": BUNDLED_MODEL, "base_url": (base_url,), "scorer": None}
    settings |= {"threshold": 0, "stopping": "all", **changes}
    graph = build_graph(Settings(**settings), client=client, scorer=None, store=store)

    async def work(question: str) -> None:
        verification = (await graph.ainvoke({"question": question}))["verification"]
        assert (verification["route"], verification["status"]) == ("direct", "ok"), verification

    return work


def level_of(name: str, costs: list[Cost], off: list[Cost], record_bytes: float) -> Level:
    """The figures of one level from its rounds and those of recording nothing."""
    cpu_ms = np.array([[cost.cpu_ms for cost in each] for each in (costs, off)])
    wall_ms = np.array([[cost.wall_ms for cost in each] for each in (costs, off)])
    return Level(
        name,
        cpu_ms=bootstrap(cpu_ms, lambda rounds: float(rounds[0].mean())),
        cpu_ratio=bootstrap(cpu_ms, _ratio),
        wall_ratio=bootstrap(wall_ms, _ratio),
        record_bytes=record_bytes,
    )


def _ratio(rounds: Columns) -> float:
    return float(rounds[0].sum() / rounds[1].sum())


def table(levels: list[Level], title: str) -> Table:
    shown = Table("recorded", "client CPU ms/question", "CPU over off", "wall over off", "kB a run", title=title)
    for level in levels:
        figures = (level.cpu_ms, level.cpu_ratio, level.wall_ratio)
        cells = (f"{each.value:.2f} ({each.low:.2f}-{each.high:.2f})" for each in figures)
        shown.add_row(level.name, *cells, f"{level.record_bytes / 1e3:.1f}")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--questions", type=int, default=320, help="a round (default 320)")
    parser.add_argument("--rounds", type=int, default=61, help="counted rounds (default 61)")
    parser.add_argument("--in-flight", type=int, default=32, help="questions at a time (default 32)")
    parser.add_argument("--delay-ms", type=float, default=100.0, help="mean delay until the server answers")
    parser.add_argument("--telemetry", action="store_true", help="measure OpenTelemetry spans, too")
    parser.add_argument("--base-url", help="a vLLM server that serves egrm-tiny, in the place of the canned one")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    given = parser.parse_args()
    levels_of = LEVELS | (SPANS if given.telemetry else {}) | (TOKENS if given.base_url else {})
    if given.telemetry:
        export_spans_nowhere()
    if given.base_url:
        levels = asyncio.run(measure(given.base_url, levels_of, given))
        answered = "answered by a vLLM server"
    else:
        with canned_server(given.delay_ms / 1e3) as base_url:
            levels = asyncio.run(measure(base_url, levels_of, given))
        answered = f"answered after {given.delay_ms:g} ms on average"
    if given.json:
        for level in levels:
            print(json.dumps(asdict(level)))
    else:
        title = f"{given.rounds} rounds of {given.questions} questions, {given.in_flight} in flight, {answered}"
        standard_output().print(table(levels, title))


if __name__ == "__main__":
    main()
