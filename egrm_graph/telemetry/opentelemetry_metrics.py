"""Metrics of runs and calls. Attributes have low cardinality: models, servers, tasks, routes, error classes."""

from __future__ import annotations

from opentelemetry.metrics import Meter

from egrm_graph.records.record import ModelCall, Record
from egrm_graph.telemetry.span_attributes import SpanAttributes, server_of, tokens_of

# Both from the semantic conventions.
TOKENS = [4.0**i for i in range(14)]
SECONDS = [0.01 * 2**i for i in range(14)]
MEASURED = [*(i / 10 for i in range(11)), 1.5, 2.0, 3.0, 5.0, 10.0]
"""Most measures are in [0, 1]. Entropies can be larger."""


class Metrics:
    """The metric instruments."""

    def __init__(self, meter: Meter) -> None:
        self._runs = meter.create_counter("egrm.runs", "{run}", "Runs by route and status.")
        self._run_tokens = meter.create_counter("egrm.tokens", "{token}", "Tokens of runs by route and kind.")
        self._retries = meter.create_counter("egrm.retries", "{retry}", "Requests that failed and were retried.")
        self._run_s = meter.create_histogram(
            "egrm.run.duration", "s", "How long runs take.", explicit_bucket_boundaries_advisory=SECONDS
        )
        self._uncertainty = meter.create_histogram(
            "egrm.uncertainty",
            "1",
            "The gate's measured value, in the measure's units.",
            explicit_bucket_boundaries_advisory=MEASURED,
        )
        self._call_s = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._call_tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )

    def call(self, call: ModelCall, named: SpanAttributes, error: str | None) -> None:
        """Record a call that ended, with the class of its error, if any."""
        known = {**named, **server_of(call["server"])}
        seconds = max(0.0, call["ended_ms"] - call["started_ms"]) / 1000
        self._call_s.record(seconds, known if error is None else {**known, "error.type": error})
        if call["retries"]:
            self._retries.add(len(call["retries"]), known)
        if call["usage"] is not None:
            used = {"input": call["usage"]["prompt_tokens"], "output": call["usage"]["completion_tokens"]}
            for kind, n_tokens in used.items():
                self._call_tokens.record(n_tokens, {**known, "gen_ai.token.type": kind})

    def run(self, record: Record, started: SpanAttributes) -> None:
        """Record a run that ended."""
        verdict = record["verification"]
        labels = {name: started[name] for name in ("egrm.model", "egrm.task")}
        routed = {**labels, "egrm.route": "none" if verdict is None else verdict["route"]}
        ended = {**routed, "egrm.status": record["ending"]}
        self._runs.add(1, ended)
        self._run_s.record(max(0.0, record["ms"]) / 1000, ended)
        if verdict is None:
            return
        for kind, n_tokens in tokens_of(verdict["usage"]).items():
            self._run_tokens.add(n_tokens, {**routed, "egrm.token.kind": kind})
        value = verdict["uncertainty"]["value"]
        if value is not None:
            self._uncertainty.record(value, {**labels, "egrm.measure": verdict["uncertainty"]["measure"]})
