"""Read the candidates to judge: texts, or messages with content blocks and tool calls.

Two texts are equal if they differ only in outer whitespace and Unicode composition. Two messages with tool calls are
equal if the calls have the same names and canonical arguments. Equal candidates are judged once. Which of them the
judge sees depends on their text, not on their order.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import BaseMessage

from egrm_graph.errors import InputError
from egrm_graph.messages.chat_messages import convert_langchain
from egrm_graph.messages.content_blocks import ToolInvocation, content_of
from egrm_graph.values import json_text

MAX_CANDIDATES = 64

Equality = Literal["whole", "name", "arguments"]


@dataclass(frozen=True)
class Candidate:
    """One candidate in the form that a judge reads. If it has none, `unfit` says why, and the text is empty."""

    text: str
    key: str
    """Equal for equal candidates."""
    tools: tuple[str, ...] = ()
    """The sorted names of the tools that it calls."""
    unfit: str | None = None


def read_candidates(values: Any, *, equality: Equality = "whole", ignored: Sequence[str] = ()) -> list[Candidate]:
    """Read candidates, in their order.

    Raises:
        InputError: the value is not a list, has too many candidates, or one of them is neither a text nor a message.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise InputError(f"candidates is {type(values).__name__}; give a list of texts or messages")
    if len(values) > MAX_CANDIDATES:
        raise InputError(f"there are {len(values)} candidates; at most {MAX_CANDIDATES} can be judged at once")
    return [_candidate(value, i, equality, ignored) for i, value in enumerate(values)]


def merged(candidates: Sequence[Candidate]) -> list[int]:
    """Return, for each candidate, the index of the one that represents all that are equal to it."""
    by_text = sorted(range(len(candidates)), key=lambda i: candidates[i].text)
    representatives: dict[str, int] = {}
    for i in by_text:
        representatives.setdefault(candidates[i].key, i)
    return [representatives[candidate.key] for candidate in candidates]


def written_call(name: str, args: Any) -> str:
    """Write a tool call in the form that a judge reads.

    Raises:
        InputError: JSON cannot hold the arguments.
    """
    return f"call {name}({canonical(args)})"


def canonical(value: Any) -> str:
    """Write a value as JSON with sorted keys, so that equal values have equal texts.

    Raises:
        InputError: JSON cannot hold it.
    """
    return json_text(value, sort_keys=True)


def _candidate(value: Any, i: int, equality: Equality, ignored: Sequence[str]) -> Candidate:
    if isinstance(value, str):
        return Candidate(text=value, key=_text_key(value))
    message = _message(value, i)
    try:
        content = content_of(message)
        if content.hidden is not None:
            raise InputError(f"it has a block of type {content.hidden!r}, which a text judge cannot read")
        text, calls = "\n".join(content.texts), content.calls
        # The text next to a call does not make it a different call.
        key = _calls_key(calls, equality, ignored) if calls else _text_key(text)
        parts = (text, *(written_call(*call) for call in calls))
    except InputError as error:
        return Candidate("", key=f"unfit:{i}", unfit=str(error))
    return Candidate("\n".join(part for part in parts if part), key, tuple(sorted(name for name, _ in calls)))


def _message(value: Any, i: int) -> BaseMessage:
    try:
        [message] = convert_langchain([value])
    except InputError as error:
        raise InputError(f"candidate {i} is neither a text nor a message: {error}") from error
    return message


def _text_key(text: str) -> str:
    # The prefix keeps a text that looks like the key of a call from being equal to that call.
    return "text:" + unicodedata.normalize("NFC", text).strip()


def _calls_key(calls: Sequence[ToolInvocation], equality: Equality, ignored: Sequence[str]) -> str:
    def compared(name: str, args: Any) -> str:
        if isinstance(args, dict):
            args = {key: value for key, value in args.items() if key not in ignored}
        return canonical([name if equality != "arguments" else None, args if equality != "name" else None])

    # The calls of one message run in parallel, so their order does not matter.
    return "calls:" + canonical(sorted(compared(*call) for call in calls))
