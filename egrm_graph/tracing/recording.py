"""Record runs from the first node to the verdict, or to whatever ended them earlier.

Nodes do not know about recording. A run that resumes from a checkpoint in another process is not recorded.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from egrm_graph.clients.client import Client, add_usage
from egrm_graph.reasons import texts
from egrm_graph.records.privacy import (
    Redactor,
    metadata_of,
    redacted,
    scrubbed,
    summarized,
    without_secrets,
    without_texts,
)
from egrm_graph.records.record import VERSION, Ending, NodeRun, Record, Source
from egrm_graph.runtime.forking import call_in_children
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.telemetry.progress import RunSpan, Spans
from egrm_graph.telemetry.span_attributes import engine_of
from egrm_graph.tracing.explanation import explain_verdict
from egrm_graph.tracing.recorded_client import CallLog, RecordedClient
from egrm_graph.tracing.store import Store
from egrm_graph.verification import Usage, Verification

FIRST, LAST = "answer_fast", "select_answer"
MAX_IN_FLIGHT = 10_000
"""A run abandoned between two nodes sends no signal. With more runs in flight, the oldest counts as abandoned."""
_PACKAGE = version("egrm-graph")


@dataclass(frozen=True)
class Invocation:
    """What the graph was invoked with for one run."""

    settings: Settings
    """The settings of the graph with the run's overrides."""
    overrides: dict[str, Source]
    """The source of each setting that the run overrides."""
    metadata: Mapping[str, Any]
    emit: Callable[[Mapping[str, Any]], None]
    """Sends a custom event to whoever streams the graph."""


@dataclass(frozen=True)
class RunEnd:
    """How a run ended, and its last state."""

    run_id: str
    ending: Ending
    error: str | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    verification: Verification | None = None


class Recording:
    """A run in progress."""

    def __init__(self, invocation: Invocation, client: Client, tokens: int, stored: bool, span: RunSpan | None) -> None:
        self.invocation = invocation
        self.stored = stored
        """Whether to store its record. Otherwise the run only has spans."""
        self.span = span
        self.started_at = time.time()
        self.nodes: list[NodeRun] = []
        self.log = CallLog(span)
        self.client = RecordedClient(client, self.log, tokens)


class Tracer:
    """Records the runs of one graph and reports them as spans.

    An error in here loses a record, with a warning, but never a run.
    """

    def __init__(
        self,
        settings: Settings,
        sources: dict[str, Source],
        client: Client,
        same: Callable[[str, str], bool],
        store: Store | None,
        *,
        own: bool = False,
        scorer_name: Callable[[RunSettings], str | None] = lambda _: None,
        spans: Spans | None = None,
        redact: Redactor | None = None,
    ) -> None:
        self._settings = settings
        self._client = client
        self._engine = engine_of(client)
        self._same = same
        self._store = store
        self._own = own
        self._spans = spans
        self._redact = redact
        self._secret = "" if settings.api_key is None else settings.api_key.get_secret_value().strip()
        self._task = settings.task_name  # computed from the model's name, and needed in every run
        self._values = settings.model_dump(mode="json", exclude={"api_key"})
        self._sources = sources
        self._scorer_name = scorer_name
        self._in_flight: dict[str, Recording] = {}
        self._warned = False
        call_in_children(self._forget_parents_runs)

    def node(self, name: str, state: Mapping[str, Any], invocation: Invocation) -> NodeScope:
        """A context manager around one node of a run."""
        recording = self._recording(name, state, invocation)
        if recording is None:
            return NodeScope(self._client)
        return RecordedNode(self, recording, name, state)

    def failed(self, recording: Recording, name: str, state: Mapping[str, Any], error: BaseException) -> None:
        """End the run after a node raised an error."""
        # In a thread with a checkpointer, the state is that of an earlier run until the first node has written.
        known = {} if name == FIRST else state
        run_id = known["asked"]["run_id"] if known else uuid.uuid4().hex
        ending: Ending = "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"
        self._ended(recording, RunEnd(run_id, ending, recording.nodes[-1]["error"], known))

    def completed(self, recording: Recording, name: str, state: Mapping[str, Any], update: Mapping[str, Any]) -> None:
        """Note that a node completed. The last one ends the run."""
        if name == FIRST:
            self._add(recording, update["asked"]["run_id"])
        elif name == LAST:
            verdict: Verification = update["verification"]
            self._ended(recording, RunEnd(verdict["run_id"], verdict["status"], None, state, verdict))

    def close(self) -> None:
        """Record the runs in flight as unfinished, and close the store if the tracer opened it."""
        for run_id, recording in list(self._in_flight.items()):
            self._ended(recording, RunEnd(run_id, "unfinished"))
        if self._store is not None and self._own:
            self._store.close()

    def _forget_parents_runs(self) -> None:
        self._in_flight.clear()

    def _recording(self, name: str, state: Mapping[str, Any], invocation: Invocation) -> Recording | None:
        if name != FIRST:
            return self._in_flight.get(state["asked"]["run_id"])
        stored = self._store is not None and random.random() < self._settings.trace_share
        if not stored and self._spans is None:
            return None
        span = None if self._spans is None else self._spans.started(self._client.name, self._task)
        return Recording(invocation, self._client, self._settings.trace_tokens, stored, span)

    def _add(self, recording: Recording, run_id: str) -> None:
        self._in_flight[run_id] = recording
        if len(self._in_flight) > MAX_IN_FLIGHT:
            oldest_id, oldest = next(iter(self._in_flight.items()))
            self._ended(oldest, RunEnd(oldest_id, "unfinished"))

    def _ended(self, recording: Recording, end: RunEnd) -> None:
        self._in_flight.pop(end.run_id, None)
        try:
            record = self._record(recording, end)
            if recording.span is not None:
                recording.span.ended(record)
            if recording.stored and self._store is not None:
                self._store.put(self._allowed(record))
        except Exception as problem:
            if not self._warned:
                self._warned = True
                with suppress(TraceWarning):  # even if warnings are errors, the run must succeed
                    warnings.warn(f"a run was not recorded: {self.scrubbed(problem)}", TraceWarning, stacklevel=2)

    def _record(self, recording: Recording, end: RunEnd) -> Record:
        log, gated, verdict = recording.log, end.state.get("gated"), end.verification
        values, sources = self._in_force(recording.invocation)
        calls, prompts = log.written()
        record: Record = {
            "version": VERSION,
            "level": "full",
            "texts": True,
            "run_id": end.run_id,
            "trace_id": None if recording.span is None else recording.span.trace_id,
            "started_at": recording.started_at,
            "ms": log.ms(),
            "ending": end.ending,
            "error": end.error,
            "package": _PACKAGE,
            "engine": self._engine,
            "model": self._client.name,
            "task": self._task,
            "scorer": self._scorer_name(recording.invocation.settings),
            "server_version": log.server_version,
            "metadata": metadata_of(recording.invocation.metadata),
            "settings": values,
            "sources": sources,
            "asked": end.state.get("asked"),
            "nodes": recording.nodes,
            "prompts": prompts,
            "calls": calls,
            "classes": gated["classes"] if gated else [],
            "margin": gated["margin"] if gated else None,
            "why": [] if verdict is None else explain_verdict(verdict, recording.invocation.settings, self._same),
            "verification": verdict,
        }
        failed = any(node["reasons"] for node in record["nodes"]) or any(
            call["retries"] or call["ending"] != "ok" for call in record["calls"]
        )
        return without_secrets(record, self._secret) if failed else record

    def _in_force(self, invocation: Invocation) -> tuple[dict[str, Any], dict[str, Source]]:
        """The run's settings, and the sources of those that are not the default."""
        if not invocation.overrides:
            return self._values, self._sources
        changed = invocation.settings.model_dump(mode="json", include=set(invocation.overrides))
        return self._values | changed, self._sources | invocation.overrides

    def _allowed(self, record: Record) -> Record:
        """The part of the record that the settings allow to store."""
        if self._settings.trace_level == "summary":
            record = summarized(record)
        if self._redact is not None:
            record = redacted(record, self._redact)
        return record if self._settings.trace_texts else without_texts(record, self._same)

    def scrubbed(self, error: BaseException) -> str:
        return scrubbed(f"{type(error).__name__}: {error}", self._secret)


class NodeScope:
    """A context manager around a node that is not recorded. `client` is the client that the node uses."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None: ...

    def returned(self, update: Mapping[str, Any]) -> Mapping[str, Any]:
        """Pass on what the node returns."""
        return update


class RecordedNode(NodeScope):
    """A context manager around a recorded node. A class, because it is faster than a generator."""

    def __init__(self, tracer: Tracer, recording: Recording, name: str, state: Mapping[str, Any]) -> None:
        super().__init__(recording.client)
        self._tracer = tracer
        self._recording = recording
        self._name = name
        self._state = state
        self._update: Mapping[str, Any] | None = None
        self._started_ms = recording.log.ms()
        self._spanned: NodeRun | None = None
        if recording.span is not None:
            self._spanned = self._written(None)
            self._span = recording.span.node(self._spanned)

    def __enter__(self) -> Self:
        self._recording.log.node = self._name
        if self._spanned is not None:
            self._span.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        recording, state, update = self._recording, self._state, self._update
        run = self._written(None if error is None else self._tracer.scrubbed(error))
        if update is not None:
            _note(run, recording.nodes, update)
        recording.nodes.append(run)
        if self._spanned is not None:
            self._spanned.update(run)
            self._span.__exit__(None if error is None else type(error), error, traceback)
        if update is not None:
            self._tracer.completed(recording, self._name, state, update)
        elif error is not None:
            self._tracer.failed(recording, self._name, state, error)

    def _written(self, error: str | None) -> NodeRun:
        return {
            "name": self._name,
            "started_ms": self._started_ms,
            "ended_ms": self._recording.log.ms(),
            "usage": None,
            "reasons": [],
            "error": error,
        }

    def returned(self, update: Mapping[str, Any]) -> Mapping[str, Any]:
        self._update = update
        return update


def _note(run: NodeRun, before: list[NodeRun], update: Mapping[str, Any]) -> None:
    """Copy the node's usage and reasons. In a loop, a node repeats those of its earlier executions, and the last node
    repeats the reasons of all nodes before it."""
    if run["name"] == LAST:
        n_earlier = sum(len(node["reasons"]) for node in before)
        run["reasons"] = update["verification"]["reasons"][n_earlier:]
        return
    for key, stage in update.items():
        if stage is not None and key != "asked":
            earlier = [node for node in before if node["name"] == run["name"]]
            run["usage"] = _rest(stage["usage"], [node["usage"] for node in earlier])
            run["reasons"] = texts(stage["reasons"])[sum(len(node["reasons"]) for node in earlier) :]
            return


def _rest(usage: Usage, earlier: Sequence[Usage | None]) -> Usage:
    """The part of the usage that is new."""
    spent = add_usage(*(each for each in earlier if each is not None))
    return Usage(
        requests=usage["requests"] - spent["requests"],
        prompt_tokens=usage["prompt_tokens"] - spent["prompt_tokens"],
        cached_tokens=usage["cached_tokens"] - spent["cached_tokens"],
        completion_tokens=usage["completion_tokens"] - spent["completion_tokens"],
        cancelled_tokens=usage["cancelled_tokens"] - spent["cancelled_tokens"],
    )


class TraceWarning(UserWarning):
    """A record was lost. The run was not affected."""


def tracer_of(
    settings: Settings,
    sources: dict[str, Source],
    client: Client,
    same: Callable[[str, str], bool],
    store: Store | None,
    *,
    scorer_name: Callable[[RunSettings], str | None],
    redact: Redactor | None,
) -> Tracer | None:
    """Create the tracer that the settings ask for. None if they record nothing.

    Raises:
        SettingsError: `telemetry` is on, but OpenTelemetry is not installed.
        InputError: The file at `trace_store` is not a store.
    """
    if settings.trace_level == "off" and settings.telemetry == "off":
        return None
    own = store is None and settings.trace_level != "off"
    if own:
        from egrm_graph.tracing.opening import open_store

        store = open_store(settings.trace_store, settings.trace_keep_days, settings.trace_keep_mb)
    return Tracer(
        settings,
        sources,
        client,
        same,
        None if settings.trace_level == "off" else store,
        own=own,
        scorer_name=scorer_name,
        spans=_spans(settings, redact, engine_of(client)),
        redact=redact,
    )


def _spans(settings: Settings, redact: Redactor | None, engine: str) -> Spans | None:
    if settings.telemetry == "off":
        return None
    from egrm_graph.telemetry.setup import telemetry

    return telemetry(settings, redact, engine)
