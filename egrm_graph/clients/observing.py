"""What a client reports about a call to tracing and telemetry, and the headers that it sends for them."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Observation:
    """One running call. The client's own thread sets its fields."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request of the call."""
    server: str | None = None
    """The base URL of the last try."""
    server_version: str | None = None
    """The version that the server reports."""

    def retried(self, reason: str) -> None:
        """Called with the reason each time a try has failed and another follows."""


observed: ContextVar[Observation | None] = ContextVar("observed", default=None)
"""The observed call. Work on other loops and threads starts with a copy of the context."""
