"""Reads a LangChain message's metadata: the tokens of its call, and the id of the response.

Providers, older integrations, and caches use different names or leave them out, so nothing here is required.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage
    from langchain_core.messages.ai import UsageMetadata

_INPUT = ("input_tokens", "prompt_tokens", "inputTokens", "prompt_token_count", "prompt_eval_count")
_OUTPUT = ("output_tokens", "completion_tokens", "outputTokens", "candidates_token_count", "eval_count")
_SHORTEST_UNIQUE_ID = 20
"""Characters. Some local servers number their responses (`chatcmpl-617`), or give all of them the same id."""


def usage_of(message: AIMessage) -> UsageMetadata | None:
    """The message's token counts, with 0 for those that are missing; None if it has none."""
    from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

    for counts in _usages(message):
        read, written = _count(counts, _INPUT), _count(counts, _OUTPUT)
        if read is None and written is None:
            continue
        read, written = read or 0, written or 0
        total = _count(counts, ("total_tokens",)) or read + written
        usage = UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=total)
        if details := _counts(counts.get("input_token_details")):
            usage["input_token_details"] = InputTokenDetails(**details)  # type: ignore[typeddict-item]
        if details := _counts(counts.get("output_token_details")):
            usage["output_token_details"] = OutputTokenDetails(**details)  # type: ignore[typeddict-item]
        return usage
    return None


def response_id(message: AIMessage) -> str | None:
    """The unique id of the response; None if it has none. Two messages with one id are one response, which a cache sent
    twice."""
    ids = (message.response_metadata.get("id"), message.id)
    return next((found for found in ids if isinstance(found, str) and len(found) >= _SHORTEST_UNIQUE_ID), None)


def _usages(message: AIMessage) -> Iterator[Mapping[str, Any]]:
    metadata = message.response_metadata
    places = (message.usage_metadata, *(metadata.get(key) for key in ("token_usage", "usage", "usage_metadata")))
    for place in (*places, metadata):
        if isinstance(place, Mapping):
            yield place


def _count(counts: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((counts[name] for name in names if _is_count(counts.get(name))), None)


def _counts(details: Any) -> dict[str, int]:
    return {key: value for key, value in details.items() if _is_count(value)} if isinstance(details, Mapping) else {}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
