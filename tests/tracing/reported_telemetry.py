"""In-memory spans and metrics, and a driver that reports recorded runs to them as a graph does."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from egrm_graph.records.privacy import Redactor
from egrm_graph.records.record import ModelCall, Record
from egrm_graph.settings import Settings
from egrm_graph.telemetry.opentelemetry_spans import OpenTelemetrySpans
from egrm_graph.telemetry.progress import RunSpan
from egrm_graph.telemetry.span_attributes import service_of

VLLM = Settings(engine="vllm", model="egrm-tiny")


class ReportedTelemetry:
    """What the providers receive."""

    def __init__(self, settings: Settings = VLLM, *, redact: Redactor | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.receiver = OpenTelemetrySpans(
            service_of(settings),
            redact=redact,
            tracer_provider=self.provider,
            meter_provider=MeterProvider([self._reader]),
        )

    @property
    def spans(self) -> list[ReadableSpan]:
        """The ended spans, in order."""
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> ReadableSpan:
        """The only span with this name."""
        (span,) = [span for span in self.spans if span.name == name]
        return span

    @property
    def points(self) -> dict[str, list[tuple[dict[str, Any], float]]]:
        """The attributes and sum of each data point, by metric."""
        data = self._reader.get_metrics_data()
        found: dict[str, list[tuple[dict[str, Any], float]]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points: Any = metric.data.data_points
                    found[metric.name] = [(dict(point.attributes or {}), _total(point)) for point in points]
        return found


def _total(point: Any) -> float:
    """The sum of a histogram or the value of a counter."""
    return float(point.sum if hasattr(point, "sum") else point.value)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """The attributes, with tuples converted back to lists."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in (span.attributes or {}).items()}


def parents(spans: Sequence[ReadableSpan]) -> dict[str, str | None]:
    """The name of each span's parent, by name. None if the parent is not among the spans."""
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return {span.name: None if span.parent is None else names.get(span.parent.span_id) for span in spans}


async def drive(run: RunSpan, record: Record) -> list[Mapping[str, str]]:
    """Report a recorded run as if it happened now, and return the calls' headers. A node's calls run concurrently."""
    found: list[Mapping[str, str]] = []
    for node in record["nodes"]:
        with run.node(node):
            calls = [call for call in record["calls"] if call["node"] == node["name"]]
            found += await asyncio.gather(*(_call(run, call, record) for call in calls))
    run.ended(record)
    return found


async def _call(run: RunSpan, call: ModelCall, record: Record) -> Mapping[str, str]:
    verdict = record["verification"]
    prompt = [] if call["prompt"] is None else record["prompts"][call["prompt"]]
    drawn = [*verdict["samples"], *verdict["paths"]] if verdict is not None else []
    texts = [sample["text"] or "" for sample in drawn if sample["seed"] in call["seeds"]]
    with run.call(call, prompt) as headers:
        await asyncio.sleep(0)
        run.answered(call, texts)
    return headers


def plain(text: str) -> str:
    """Redacts nothing."""
    return text


def changed(call: ModelCall, **changes: Any) -> ModelCall:
    return ModelCall(**{**copy.deepcopy(call), **changes})  # type: ignore[typeddict-item]
