"""Spans of runs, nodes and model calls, through OpenTelemetry's API: whoever runs the program sets up where they go.

A run is an `invoke_workflow egrm` span below the caller's own, a node a span within it, and a model call a span within
its node's. Nothing that OpenTelemetry or a provider raises reaches the run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import context, metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import egrm_graph
from egrm_graph.clients.observing import Observation, observed
from egrm_graph.records.privacy import Rewrite
from egrm_graph.records.record import ModelCall, NodeRun, Record
from egrm_graph.runtime.warn_once import WarnOnce
from egrm_graph.telemetry import span_attributes as described
from egrm_graph.telemetry import span_contents as contents
from egrm_graph.telemetry.opentelemetry_metrics import Metrics
from egrm_graph.telemetry.span_attributes import CANCELLED, Service
from egrm_graph.verification import Message

# Whatever propagator the program uses: this is what model servers read, and it carries no baggage.
_w3c = TraceContextTextMapPropagator()


class OpenTelemetrySpans:
    """Tells spans and metrics to the program's providers, or to the ones given. Prompts, answers and the words of
    errors are told as `rewrite` lets them through; without it, not at all."""

    def __init__(
        self,
        service: Service,
        *,
        rewrite: Rewrite | None = None,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self.service = service
        self.rewrite = rewrite
        self.guard = WarnOnce()
        self.tracer = trace.get_tracer("egrm_graph", egrm_graph.__version__, tracer_provider)
        self.metrics = Metrics(metrics.get_meter("egrm_graph", egrm_graph.__version__, meter_provider))

    def started(self, model: str, task: str) -> OpenTelemetryRun:
        return OpenTelemetryRun(self, model, task)


class OpenTelemetryRun:
    """One run's spans."""

    def __init__(self, told: OpenTelemetrySpans, model: str, task: str) -> None:
        self._told = told
        self._guard = told.guard
        self._named = self._guard(lambda: described.call_named(model, told.service)) or {}
        self._started = self._guard(lambda: described.run_started(model, task)) or {}
        self._span = self._guard(lambda: told.tracer.start_span("invoke_workflow egrm", attributes=self._started))
        self._open: dict[int, Span] = {}
        self._ended = False

    @property
    def trace_id(self) -> str | None:
        """As 32 hexadecimal digits; None where there is no provider."""
        span = self._span
        of = None if span is None else self._guard(span.get_span_context)
        return trace.format_trace_id(of.trace_id) if of is not None and of.is_valid else None

    @contextmanager
    def node(self, node: NodeRun) -> Iterator[None]:
        def start() -> Span:
            within = None if self._span is None else trace.set_span_in_context(self._span)
            return self._told.tracer.start_span(node["name"], within, attributes={"egrm.node": node["name"]})

        current = self._guard(lambda: _Current(start()))
        # For what a node asks of servers outside of model calls: scores.
        before = observed.set(Observation({} if current is None else self._guard(_headers) or {}))
        failure: str | None = None
        try:
            yield
        except BaseException as error:
            failure = _name_of(error)
            raise
        finally:
            observed.reset(before)
            if current is not None:
                failure = failure or (described.error_type(node["error"]) if node["error"] else None)
                self._guard(lambda: self._end_node(current.span, node, failure))
                self._guard(current.close)

    @contextmanager
    def call(self, call: ModelCall, prompt: Sequence[Message]) -> Iterator[Mapping[str, str]]:
        current = self._guard(lambda: _Current(self._start_call(call, prompt)))
        if current is not None:
            self._open[id(call)] = current.span
        failure: str | None = None
        try:
            yield {} if current is None else self._guard(_headers) or {}
        except BaseException as error:
            failure = _name_of(error)
            raise
        finally:
            if call["ending"] == CANCELLED:
                failure = CANCELLED
            elif call["ending"] == "failed":
                failure = failure or described.error_type(call["error"])
            self._open.pop(id(call), None)
            if current is not None:
                self._guard(lambda: self._end_call(current.span, call, failure))
                self._guard(current.close)
            self._guard(lambda: self._told.metrics.call(call, self._named, failure))

    def answered(self, call: ModelCall, texts: Sequence[str]) -> None:
        span, rewrite = self._open.get(id(call)), self._told.rewrite
        if span is not None and rewrite is not None:
            reasons = [each["finish_reason"] for each in call["generated"]]
            self._guard(
                lambda: span.set_attribute("gen_ai.output.messages", contents.answers_text(texts, reasons, rewrite))
            )

    def ended(self, record: Record) -> None:
        if self._ended:
            return
        self._ended = True
        span = self._span
        if span is not None:
            self._guard(lambda: self._end_run(span, record))
            self._guard(span.end)
        self._guard(lambda: self._told.metrics.run(record, self._started))

    def _start_call(self, call: ModelCall, prompt: Sequence[Message]) -> Span:
        service, rewrite = self._told.service, self._told.rewrite
        span = self._told.tracer.start_span(
            f"{service.operation} {self._named['gen_ai.request.model']}",
            kind=SpanKind.INTERNAL if service.in_process else SpanKind.CLIENT,
            attributes=self._named,  # what a sampler may decide by
        )
        if span.is_recording():
            span.set_attributes(described.call_started(call))
            if rewrite is not None:
                span.set_attribute("gen_ai.input.messages", contents.prompt_text(prompt, rewrite))
        return span

    def _end_call(self, span: Span, call: ModelCall, failure: str | None) -> None:
        if not span.is_recording():
            return
        span.set_attributes(described.call_ended(call))
        now_ns = time.time_ns()
        for retry in call["retries"]:
            ago_ms = max(0.0, call["ended_ms"] - retry["at_ms"])
            words = self._words(retry["reason"])
            span.add_event("egrm.retry", {"egrm.reason": words} if words else {}, now_ns - int(ago_ms * 1e6))
        self._fail(span, failure, call["error"])

    def _end_run(self, span: Span, record: Record) -> None:
        if not span.is_recording():
            return
        span.set_attributes(described.run_ended(record))
        if self._told.rewrite is not None:
            span.set_attributes(contents.run_texts(record, self._told.rewrite))
        if record["ending"] == "failed":
            self._fail(span, described.error_type(record["error"]), record["error"])
        elif record["ending"] in (CANCELLED, "unfinished"):
            self._fail(span, record["ending"], record["error"])

    def _end_node(self, span: Span, node: NodeRun, failure: str | None) -> None:
        if span.is_recording():
            span.set_attributes(described.node_ended(node))
            self._fail(span, failure, node["error"])

    def _fail(self, span: Span, failure: str | None, error: str | None) -> None:
        if failure is not None:
            span.set_attribute("error.type", failure)
            span.set_status(Status(StatusCode.ERROR, self._words(error)))

    def _words(self, error: str | None) -> str | None:
        """An error may quote a prompt or a server, so that it is told as texts are."""
        rewrite = self._told.rewrite
        return None if error is None or rewrite is None else described.clean(rewrite(error))


class _Current:
    """A span that is the current one until it is closed."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._token = context.attach(trace.set_span_in_context(span))

    def close(self) -> None:
        context.detach(self._token)
        self.span.end()


def _headers() -> dict[str, str]:
    carried: dict[str, str] = {}
    _w3c.inject(carried)
    return carried


def _name_of(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return CANCELLED
    return type(error).__name__
