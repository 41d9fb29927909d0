"""What a run's progress is told to, beside its record: spans and metrics, in telemetry.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from egrm_graph.records.record import ModelCall, NodeRun, Record
from egrm_graph.verification import Message


class RunSpan(Protocol):
    """One run's spans."""

    @property
    def trace_id(self) -> str | None: ...

    def node(self, node: NodeRun) -> AbstractContextManager[None]:
        """Around a node, within the run's span; `node` is complete when it is left."""
        ...

    def call(self, call: ModelCall, prompt: Sequence[Message]) -> AbstractContextManager[Mapping[str, str]]:
        """Around a model call, within its node's; gives the headers that tell a server of it. `call` is complete when
        it is left."""
        ...

    def answered(self, call: ModelCall, texts: Sequence[str]) -> None:
        """Within `call`, whose `generated` is complete: the texts that came of it, which a call does not keep."""
        ...

    def ended(self, record: Record) -> None:
        """The run is over, however it ended."""
        ...


class Spans(Protocol):
    """Where spans go."""

    def started(self, model: str, task: str) -> RunSpan:
        """A run begins, as part of whatever span its caller is in."""
        ...
