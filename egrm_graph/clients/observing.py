"""What a client lets whoever watches a call see of it, and the headers it sends along for them."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Observation:
    """One call, as it is under way. Its fields are filled from the client's own thread."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request of the call."""
    server: str | None = None
    """The base URL that was asked last."""
    server_version: str | None = None
    """What the server says that it is."""

    def retried(self, reason: str) -> None:
        """Told why a try failed that is going to be repeated."""


observed: ContextVar[Observation | None] = ContextVar("observed", default=None)
"""The call that is watched; work on other loops and threads is started with a copy of the context."""
