"""Writes down what runs do: from the first node to the verdict, or to whatever ended them before.

Nodes know nothing of it. A run that goes on in another process, from a checkpoint, is not recorded.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from egrm_graph.clients.client import Client
from egrm_graph.records.privacy import (
    Redactor,
    metadata_of,
    redacted,
    scrubbed,
    summarised,
    without_secrets,
    without_texts,
)
from egrm_graph.records.record import VERSION, Ending, NodeRun, Record, Source
from egrm_graph.runtime.forking import call_in_children
from egrm_graph.settings import Settings
from egrm_graph.telemetry.progress import RunSpan, Spans
from egrm_graph.telemetry.span_attributes import engine_of
from egrm_graph.tracing.explanation import explain_verdict
from egrm_graph.tracing.recorded_client import CallLog, RecordedClient
from egrm_graph.tracing.store import Store
from egrm_graph.verification import Verification

FIRST, LAST = "answer_fast", "select_answer"
IN_FLIGHT_MOST = 10_000
"""A run that was given up between two nodes tells nobody; so many may be under way before the oldest counts as that."""
_PACKAGE = version("egrm-graph")


@dataclass(frozen=True)
class Invocation:
    """What a run was called with."""

    settings: Settings
    """Those of the build with the run's overrides."""
    overrides: dict[str, Source]
    """Of the settings that the run overrides, where each comes from."""
    metadata: Mapping[str, Any]
    emit: Callable[[Mapping[str, Any]], None]
    """Hands a custom event to whoever streams the graph."""


@dataclass(frozen=True)
class RunEnd:
    """How a run came to its end, and what it had come to."""

    run_id: str
    ending: Ending
    error: str | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    verification: Verification | None = None


class Recording:
    """One run under way."""

    def __init__(self, called: Invocation, client: Client, tokens: int, kept: bool, span: RunSpan | None) -> None:
        self.called = called
        self.kept = kept
        """Whether its record is stored; else only spans are told."""
        self.span = span
        self.started_at = time.time()
        self.nodes: list[NodeRun] = []
        self.log = CallLog(span)
        self.client = RecordedClient(client, self.log, tokens)


class Tracer:
    """Records the runs of one graph, and tells them as spans.

    Whatever goes wrong in here costs a record, and a warning, but never a run.
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
        scorer: str | None = None,
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
        self._task = settings.task_name  # which looks at the model's name, and is asked for in every run
        self._values = settings.model_dump(mode="json", exclude={"api_key"})
        self._sources = sources
        self._scorer = scorer
        self._in_flight: dict[str, Recording] = {}
        self._warned = False
        call_in_children(self._forget_parents_runs)

    def node(self, name: str, state: Mapping[str, Any], called: Invocation) -> NodeScope:
        """Around one node of a run."""
        recording = self._recording(name, state, called)
        if recording is None:
            return NodeScope(self._client)
        return RecordedNode(self, recording, name, state)

    def failed(self, recording: Recording, name: str, state: Mapping[str, Any], error: BaseException) -> None:
        """A node raised, and the run is over."""
        # A thread that a checkpointer remembers has the state of an earlier run until the first node has written.
        known = {} if name == FIRST else state
        run_id = known["asked"]["run_id"] if known else uuid.uuid4().hex
        ending: Ending = "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"
        self._ended(recording, RunEnd(run_id, ending, recording.nodes[-1]["error"], known))

    def went_on(self, recording: Recording, name: str, state: Mapping[str, Any], update: Mapping[str, Any]) -> None:
        """A node is done; the last one ends the run."""
        if name == FIRST:
            self._begun(recording, update["asked"]["run_id"])
        elif name == LAST:
            told: Verification = update["verification"]
            self._ended(recording, RunEnd(told["run_id"], told["status"], None, state, told))

    def close(self) -> None:
        """Tells of the runs that nobody ended, and writes what is left."""
        left = list(self._in_flight.items())
        for run_id, recording in left:
            self._ended(recording, RunEnd(run_id, "unfinished"))
        if self._store is not None and self._own:
            self._store.close()

    def _forget_parents_runs(self) -> None:
        self._in_flight.clear()

    def _recording(self, name: str, state: Mapping[str, Any], called: Invocation) -> Recording | None:
        if name != FIRST:
            return self._in_flight.get(state["asked"]["run_id"])
        kept = self._store is not None and random.random() < self._settings.trace_share
        if not kept and self._spans is None:
            return None
        span = None if self._spans is None else self._spans.started(self._client.name, self._task)
        return Recording(called, self._client, self._settings.trace_tokens, kept, span)

    def _begun(self, recording: Recording, run_id: str) -> None:
        self._in_flight[run_id] = recording
        given_up = next(iter(self._in_flight.items())) if len(self._in_flight) > IN_FLIGHT_MOST else None
        if given_up is not None:
            self._ended(given_up[1], RunEnd(given_up[0], "unfinished"))

    def _ended(self, recording: Recording, end: RunEnd) -> None:
        self._in_flight.pop(end.run_id, None)
        try:
            record = self._record(recording, end)
            if recording.span is not None:
                recording.span.ended(record)
            if recording.kept and self._store is not None:
                self._store.put(self._allowed(record))
        except Exception as problem:
            if not self._warned:
                self._warned = True
                with suppress(TraceWarning):  # where warnings are errors, a record is still not worth a verdict
                    warnings.warn(f"a run was not recorded: {self.scrubbed(problem)}", TraceWarning, stacklevel=2)

    def _record(self, recording: Recording, end: RunEnd) -> Record:
        log, gated, told = recording.log, end.state.get("gated"), end.verification
        values, sources = self._in_force(recording.called)
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
            "scorer": self._scorer,
            "server_version": log.server_version,
            "metadata": metadata_of(recording.called.metadata),
            "settings": values,
            "sources": sources,
            "asked": end.state.get("asked"),
            "nodes": recording.nodes,
            "prompts": prompts,
            "calls": calls,
            "classes": gated["classes"] if gated else [],
            "margin": gated["margin"] if gated else None,
            "why": [] if told is None else explain_verdict(told, recording.called.settings.selection, self._same),
            "verification": told,
        }
        troubled = any(node["reasons"] for node in record["nodes"]) or any(
            call["retries"] or call["ending"] != "ok" for call in record["calls"]
        )
        return without_secrets(record, self._secret) if troubled else record

    def _in_force(self, called: Invocation) -> tuple[dict[str, Any], dict[str, Source]]:
        """The run's settings, and where those came from that are not the default."""
        if not called.overrides:
            return self._values, self._sources
        changed = called.settings.model_dump(mode="json", include=set(called.overrides))
        return self._values | changed, self._sources | called.overrides

    def _allowed(self, record: Record) -> Record:
        """What the settings let be kept of it."""
        if self._settings.trace_level == "summary":
            record = summarised(record)
        if self._redact is not None:
            record = redacted(record, self._redact)
        return record if self._settings.trace_texts else without_texts(record, self._same)

    def scrubbed(self, error: BaseException) -> str:
        return scrubbed(f"{type(error).__name__}: {error}", self._secret)


class NodeScope:
    """A node in a run, and the client that it works with."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None: ...

    def returned(self, update: Mapping[str, Any]) -> Mapping[str, Any]:
        """To be handed what the node returns."""
        return update


class RecordedNode(NodeScope):
    """A node in a run that is recorded. A class, for a run is in and out of it many times a second."""

    def __init__(self, tracer: Tracer, recording: Recording, name: str, state: Mapping[str, Any]) -> None:
        super().__init__(recording.client)
        self._tracer = tracer
        self._recording = recording
        self._name = name
        self._state = state
        self._update: Mapping[str, Any] | None = None
        self._started_ms = recording.log.ms()
        self._told: NodeRun | None = None
        if recording.span is not None:
            self._told = self._written(None)
            self._span = recording.span.node(self._told)

    def __enter__(self) -> Self:
        self._recording.log.node = self._name
        if self._told is not None:
            self._span.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        recording, state, update = self._recording, self._state, self._update
        run = self._written(None if error is None else self._tracer.scrubbed(error))
        if update is not None:
            _note(run, recording.nodes, update)
        recording.nodes.append(run)
        if self._told is not None:
            self._told.update(run)
            self._span.__exit__(None if error is None else type(error), error, traceback)
        if update is not None:
            self._tracer.went_on(recording, self._name, state, update)
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
    """What a node says that it spent and what went wrong; the last one tells of all of them again."""
    if run["name"] == LAST:
        told = sum(len(node["reasons"]) for node in before)
        run["reasons"] = update["verification"]["reasons"][told:]
        return
    for key, stage in update.items():
        if stage is not None and key != "asked":
            run["usage"], run["reasons"] = stage["usage"], stage["reasons"]
            return


class TraceWarning(UserWarning):
    """A record was lost, and no run with it."""


def tracer_of(
    settings: Settings,
    sources: dict[str, Source],
    client: Client,
    same: Callable[[str, str], bool],
    store: Store | None,
    *,
    scorer: str | None,
    redact: Redactor | None,
) -> Tracer | None:
    """What the settings say is to be recorded; None where nothing is.

    Raises:
        SettingsError: telemetry is asked for, and OpenTelemetry is not installed.
        InputError: what is at `trace_store` is no store.
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
        scorer=scorer,
        spans=_spans(settings, redact, engine_of(client)),
        redact=redact,
    )


def _spans(settings: Settings, redact: Redactor | None, engine: str) -> Spans | None:
    if settings.telemetry == "off":
        return None
    from egrm_graph.telemetry.setup import telemetry

    return telemetry(settings, redact, engine)
