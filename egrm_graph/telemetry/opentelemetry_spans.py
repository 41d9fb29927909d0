"""Report runs, nodes, and model calls as OpenTelemetry spans. The program that uses the graph sets up the providers.

A run is an `invoke_workflow egrm` span under the caller's span. Nodes are spans under it, and model calls are spans
under their node. Errors of OpenTelemetry or a provider never reach the run.
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
from egrm_graph.records.privacy import Redactor
from egrm_graph.records.record import ModelCall, NodeRun, Record
from egrm_graph.runtime.warn_once import WarnOnce
from egrm_graph.telemetry import span_attributes as described
from egrm_graph.telemetry import span_contents as contents
from egrm_graph.telemetry.opentelemetry_metrics import Metrics
from egrm_graph.telemetry.span_attributes import CANCELLED, Service
from egrm_graph.verification import Message

# Independent of the program's propagator: model servers read this format, and it carries no baggage.
_w3c = TraceContextTextMapPropagator()


class OpenTelemetrySpans:
    """Reports spans and metrics to the program's providers, or to the ones passed in.

    Prompts, answers, and error messages pass through `redact`. Without it, they are not reported.
    """

    def __init__(
        self,
        service: Service,
        *,
        redact: Redactor | None = None,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self.service = service
        self.redact = redact
        self.call_safely = WarnOnce()
        self.tracer = trace.get_tracer("egrm_graph", egrm_graph.__version__, tracer_provider)
        self.metrics = Metrics(metrics.get_meter("egrm_graph", egrm_graph.__version__, meter_provider))

    def started(self, model: str, task: str) -> OpenTelemetryRun:
        return OpenTelemetryRun(self, model, task)


class OpenTelemetryRun:
    """One run's spans."""

    def __init__(self, spans: OpenTelemetrySpans, model: str, task: str) -> None:
        self._spans = spans
        self._safely = spans.call_safely
        self._named = self._safely(lambda: described.call_named(model, spans.service)) or {}
        self._started = self._safely(lambda: described.run_started(model, task)) or {}
        self._span = self._safely(lambda: spans.tracer.start_span("invoke_workflow egrm", attributes=self._started))
        self._open: dict[int, Span] = {}
        self._ended = False

    @property
    def trace_id(self) -> str | None:
        """32 hexadecimal digits, or None without a provider."""
        span = self._span
        found = None if span is None else self._safely(span.get_span_context)
        return trace.format_trace_id(found.trace_id) if found is not None and found.is_valid else None

    @contextmanager
    def node(self, node: NodeRun) -> Iterator[None]:
        def start() -> Span:
            within = None if self._span is None else trace.set_span_in_context(self._span)
            return self._spans.tracer.start_span(node["name"], within, attributes={"egrm.node": node["name"]})

        current = self._safely(lambda: _Current(start()))
        # For requests outside model calls, such as scores.
        before = observed.set(Observation({} if current is None else self._safely(_headers) or {}))
        failure: str | None = None
        try:
            yield
        except BaseException as error:
            failure = _class_name(error)
            raise
        finally:
            observed.reset(before)
            if current is not None:
                failure = failure or (described.error_type(node["error"]) if node["error"] else None)
                self._safely(lambda: self._end_node(current.span, node, failure))
                self._safely(current.close)

    @contextmanager
    def call(self, call: ModelCall, prompt: Sequence[Message]) -> Iterator[Mapping[str, str]]:
        current = self._safely(lambda: _Current(self._start_call(call, prompt)))
        if current is not None:
            self._open[id(call)] = current.span
        failure: str | None = None
        try:
            yield {} if current is None else self._safely(_headers) or {}
        except BaseException as error:
            failure = _class_name(error)
            raise
        finally:
            if call["ending"] == CANCELLED:
                failure = CANCELLED
            elif call["ending"] == "failed":
                failure = failure or described.error_type(call["error"])
            self._open.pop(id(call), None)
            if current is not None:
                self._safely(lambda: self._end_call(current.span, call, failure))
                self._safely(current.close)
            self._safely(lambda: self._spans.metrics.call(call, self._named, failure))

    def answered(self, call: ModelCall, texts: Sequence[str]) -> None:
        span, redact = self._open.get(id(call)), self._spans.redact
        if span is not None and redact is not None:
            reasons = [completion["finish_reason"] for completion in call["generated"]]
            self._safely(
                lambda: span.set_attribute("gen_ai.output.messages", contents.answers_text(texts, reasons, redact))
            )

    def ended(self, record: Record) -> None:
        if self._ended:
            return
        self._ended = True
        span = self._span
        if span is not None:
            self._safely(lambda: self._end_run(span, record))
            self._safely(span.end)
        self._safely(lambda: self._spans.metrics.run(record, self._started))

    def _start_call(self, call: ModelCall, prompt: Sequence[Message]) -> Span:
        service, redact = self._spans.service, self._spans.redact
        span = self._spans.tracer.start_span(
            f"{service.operation} {self._named['gen_ai.request.model']}",
            kind=SpanKind.INTERNAL if service.in_process else SpanKind.CLIENT,
            attributes=self._named,  # samplers may decide by these
        )
        if span.is_recording():
            span.set_attributes(described.call_started(call))
            if redact is not None:
                span.set_attribute("gen_ai.input.messages", contents.prompt_text(prompt, redact))
        return span

    def _end_call(self, span: Span, call: ModelCall, failure: str | None) -> None:
        if not span.is_recording():
            return
        span.set_attributes(described.call_ended(call))
        now_ns = time.time_ns()
        for retry in call["retries"]:
            ago_ms = max(0.0, call["ended_ms"] - retry["at_ms"])
            reason = self._redacted(retry["reason"])
            span.add_event("egrm.retry", {"egrm.reason": reason} if reason else {}, now_ns - int(ago_ms * 1e6))
        self._fail(span, failure, call["error"])

    def _end_run(self, span: Span, record: Record) -> None:
        if not span.is_recording():
            return
        span.set_attributes(described.run_ended(record))
        if self._spans.redact is not None:
            span.set_attributes(contents.run_texts(record, self._spans.redact))
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
            span.set_status(Status(StatusCode.ERROR, self._redacted(error)))

    def _redacted(self, error: str | None) -> str | None:
        """The redacted error. It may quote a prompt or a server, so it is treated like other texts."""
        redact = self._spans.redact
        return None if error is None or redact is None else described.clean(redact(error))


class _Current:
    """Makes a span the current one until it is closed."""

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


def _class_name(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return CANCELLED
    return type(error).__name__
