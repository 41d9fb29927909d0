"""Measure what recording runs costs: `python examples/studies/tracing_overhead.py`.

The same rounds of questions go, in random order, through graphs that record nothing, summaries, and full runs, with an
SQLite store for each, against the canned server. A round ends when its records are written. Figures are means over all
rounds and ratios of such means, with 95 % intervals by the bootstrap over rounds. A median would not do, because
Python's garbage collector scans the full heap only now and then. With `--telemetry`, a level without records exports
OpenTelemetry spans to an exporter that drops them (this needs opentelemetry-sdk). With `--base-url`, a real vLLM server
with the bundled model answers instead of the canned one, and one level records tokens with their alternatives from
streamed answers.
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
TOKENS: dict[str, dict[str, Any]] = {"full, 5 alternatives per token": {"trace_level": "full", "trace_tokens": 5}}


@dataclass(frozen=True)
class Level:
    """The cost of a question at one level."""

    name: str
    cpu_ms: Estimate
    cpu_ratio: Estimate
    wall_ratio: Estimate
    record_bytes: float


def export_spans_nowhere() -> None:
    """Raises:
    ModuleNotFoundError: opentelemetry-sdk is missing.
    """
    from opentelemetry import trace
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - the signature of OpenTelemetry
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(provider)


async def measure(base_url: str, levels: Mapping[str, Mapping[str, Any]], args: argparse.Namespace) -> list[Level]:
    """Measure all rounds, after one of each that does not count."""
    draw = random.Random(0)
    texts = [f"{draw.randint(1, 99)}+{draw.randint(1, 99)}-{draw.randint(1, 9)}" for _ in range(args.questions)]
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
                cost = await round_of(works[name], texts, args.in_flight, stores[name].flush)
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
    """The figures of one level, from its rounds and those without recording."""
    cpu_ms = np.array([[cost.cpu_ms for cost in rounds] for rounds in (costs, off)])
    wall_ms = np.array([[cost.wall_ms for cost in rounds] for rounds in (costs, off)])
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
    made = Table("recorded", "client CPU ms/question", "CPU over off", "wall over off", "kB per run", title=title)
    for level in levels:
        figures = (level.cpu_ms, level.cpu_ratio, level.wall_ratio)
        cells = (f"{figure.value:.2f} ({figure.low:.2f}-{figure.high:.2f})" for figure in figures)
        made.add_row(level.name, *cells, f"{level.record_bytes / 1e3:.1f}")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--questions", type=int, default=320, help="questions per round (default 320)")
    parser.add_argument("--rounds", type=int, default=61, help="counted rounds (default 61)")
    parser.add_argument("--in-flight", type=int, default=32, help="questions at a time (default 32)")
    parser.add_argument("--delay-ms", type=float, default=100.0, help="mean delay until the server answers")
    parser.add_argument("--telemetry", action="store_true", help="also measure OpenTelemetry spans")
    parser.add_argument("--base-url", help="a vLLM server with egrm-tiny, instead of the canned one")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    options = parser.parse_args()
    levels_of = LEVELS | (SPANS if options.telemetry else {}) | (TOKENS if options.base_url else {})
    if options.telemetry:
        export_spans_nowhere()
    if options.base_url:
        levels = asyncio.run(measure(options.base_url, levels_of, options))
        answered = "answered by a vLLM server"
    else:
        with canned_server(options.delay_ms / 1e3) as base_url:
            levels = asyncio.run(measure(base_url, levels_of, options))
        answered = f"answered after {options.delay_ms:g} ms on average"
    if options.json:
        for level in levels:
            print(json.dumps(asdict(level)))
    else:
        title = f"{options.rounds} rounds of {options.questions} questions, {options.in_flight} in flight, {answered}"
        standard_output().print(table(levels, title))


if __name__ == "__main__":
    main()
