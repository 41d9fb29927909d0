"""The protocol that receives a run's progress: spans and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from egrm_graph.records.record import ModelCall, NodeRun, Record
from egrm_graph.verification import Message


class RunSpan(Protocol):
    """The spans of one run."""

    @property
    def trace_id(self) -> str | None: ...

    def node(self, node: NodeRun) -> AbstractContextManager[None]:
        """Open a node's span under the run's span. `node` must be complete on exit."""
        ...

    def call(self, call: ModelCall, prompt: Sequence[Message]) -> AbstractContextManager[Mapping[str, str]]:
        """Open a call's span under its node's span, and yield the headers that propagate it to a server.

        `call` must be complete on exit.
        """
        ...

    def answered(self, call: ModelCall, texts: Sequence[str]) -> None:
        """Report the texts of a call, which its record does not contain. Its `generated` must be complete."""
        ...

    def ended(self, record: Record) -> None:
        """End the run."""
        ...


class Spans(Protocol):
    """Starts the spans of runs."""

    def started(self, model: str, task: str) -> RunSpan:
        """Start a run under the caller's current span."""
        ...
