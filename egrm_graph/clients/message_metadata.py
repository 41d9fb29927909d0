"""What a LangChain message says of the call that it came from: the tokens that were spent, and the response's identity.

Providers, older integrations, and caches spell these differently or leave them out, so nothing is taken for granted.
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
"""Characters. Some local servers number their responses (`chatcmpl-617`), or call all of them the same."""


def usage_of(message: AIMessage) -> UsageMetadata | None:
    """The tokens that the message tells, what it leaves out as 0; None where it tells none."""
    from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

    for told in _usages(message):
        given, produced = _count(told, _INPUT), _count(told, _OUTPUT)
        if given is None and produced is None:
            continue
        given, produced = given or 0, produced or 0
        total = _count(told, ("total_tokens",)) or given + produced
        usage = UsageMetadata(input_tokens=given, output_tokens=produced, total_tokens=total)
        if details := _counts(told.get("input_token_details")):
            usage["input_token_details"] = InputTokenDetails(**details)  # type: ignore[typeddict-item]
        if details := _counts(told.get("output_token_details")):
            usage["output_token_details"] = OutputTokenDetails(**details)  # type: ignore[typeddict-item]
        return usage
    return None


def response_id(message: AIMessage) -> str | None:
    """What tells this response from all others: two messages of one id are one response, sent twice by a cache. None
    where there is no such id."""
    ids = (message.response_metadata.get("id"), message.id)
    return next((each for each in ids if isinstance(each, str) and len(each) >= _SHORTEST_UNIQUE_ID), None)


def _usages(message: AIMessage) -> Iterator[Mapping[str, Any]]:
    metadata = message.response_metadata
    places = (message.usage_metadata, *(metadata.get(key) for key in ("token_usage", "usage", "usage_metadata")))
    for each in (*places, metadata):
        if isinstance(each, Mapping):
            yield each


def _count(told: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((told[name] for name in names if _is_count(told.get(name))), None)


def _counts(details: Any) -> dict[str, int]:
    return {key: value for key, value in details.items() if _is_count(value)} if isinstance(details, Mapping) else {}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
