"""A store in memory and a graph that records into it."""

from __future__ import annotations

import json
from typing import Any

from egrm_graph import Settings, build_graph
from egrm_graph.clients.client import Client
from egrm_graph.records.record import Record
from egrm_graph.scoring.scorer import Scorer


class MemoryStore:
    """Stores records as JSON: later changes have no effect, and values that are not JSON fail."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.closed = False

    @property
    def records(self) -> list[Record]:
        return [json.loads(line) for line in self._lines]

    def put(self, record: Record) -> None:
        self._lines.append(json.dumps(record, allow_nan=False))

    def flush(self, timeout_s: float = 10.0) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def recording_graph(
    client: Client, store: MemoryStore, scorer: Scorer | None = None, redact: Any = None, **changes: Any
) -> Any:
    settings: dict[str, Any] = {"task": "arithmetic", "trace_level": "full", **changes}
    return build_graph(Settings(**settings), client=client, scorer=scorer, store=store, redact=redact)
