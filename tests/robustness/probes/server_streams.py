"""What a client reads from a streamed reply: `input` has the raw stream."""

from typing import Any

from tests.robustness.probes import server_replies


async def outcome(given: dict[str, Any]) -> Any:
    return await server_replies.outcome({**given, "replies": [given["stream"]], "streamed": True})
