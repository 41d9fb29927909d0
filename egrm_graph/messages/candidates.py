"""Reads what is judged: texts, or messages with content blocks and tool calls.

Decides which candidates are equal: those of the same text, but for the space around it and how its characters are
composed; for tool calls, those of the same names and canonical arguments. Equal ones are judged once, and which of
them is shown follows from what they say, not from the order in which they came.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import BaseMessage, convert_to_messages

from egrm_graph.errors import InputError
from egrm_graph.messages.content_blocks import Call, content_of

MOST = 64

Equality = Literal["whole", "name", "arguments"]


@dataclass(frozen=True)
class Candidate:
    """One candidate as a judge is shown it. `unfit` says why it cannot be shown, and then its text is empty."""

    text: str
    key: str
    """Equal for equal candidates."""
    tools: tuple[str, ...] = ()
    """The names of the tools that it calls, sorted."""
    unfit: str | None = None


def read_candidates(given: Any, *, equality: Equality = "whole", ignored: Sequence[str] = ()) -> list[Candidate]:
    """The candidates, in their order.

    Raises:
        InputError: there are none, too many, or one is of a kind that is no candidate.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Sequence):
        raise InputError(f"candidates is {type(given).__name__}; give a list of texts or messages")
    if len(given) > MOST:
        raise InputError(f"there are {len(given)} candidates; at most {MOST} can be judged at once")
    return [_candidate(each, i, equality, ignored) for i, each in enumerate(given)]


def merged(candidates: Sequence[Candidate]) -> list[int]:
    """For each candidate the index of the one that stands for all that are equal to it; of equal texts the first."""
    ranked = sorted(range(len(candidates)), key=lambda i: candidates[i].text)
    stands: dict[str, int] = {}
    for i in ranked:
        stands.setdefault(candidates[i].key, i)
    return [stands[candidate.key] for candidate in candidates]


def written_call(name: str, args: Any) -> str:
    """A tool call as a judge is shown it."""
    return f"call {name}({canonical(args)})"


def canonical(value: Any) -> str:
    """JSON with sorted keys: the same text for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _candidate(given: Any, i: int, equality: Equality, ignored: Sequence[str]) -> Candidate:
    if isinstance(given, str):
        return Candidate(text=given, key=_plain(given))
    message = _message(given, i)
    content = content_of(message)
    if content.hidden is not None:
        unfit = f"it has a block of type {content.hidden!r}, which a judge of text cannot be shown"
        return Candidate("", key=f"unfit:{i}", unfit=unfit)
    text, calls = "\n".join(content.texts), content.calls
    shown = "\n".join(part for part in (text, *(written_call(*call) for call in calls)) if part)
    names = tuple(sorted(name for name, _ in calls))
    # What is said next to a call does not make it another one.
    key = _key(calls, equality, ignored) if calls else _plain(text)
    return Candidate(shown, key, names)


def _message(given: Any, i: int) -> BaseMessage:
    try:
        [message] = convert_to_messages([given])
    except (ValueError, NotImplementedError, TypeError, KeyError) as error:
        raise InputError(f"candidate {i} is no text and no message: {error}") from error
    return message


def _plain(text: str) -> str:
    # The kind comes first: no text is equal to a call, or to what cannot be shown, by being spelled like its key.
    return "text:" + unicodedata.normalize("NFC", text).strip()


def _key(calls: Sequence[Call], equality: Equality, ignored: Sequence[str]) -> str:
    def compared(name: str, args: Any) -> str:
        if isinstance(args, dict):
            args = {key: value for key, value in args.items() if key not in ignored}
        return canonical([name if equality != "arguments" else None, args if equality != "name" else None])

    # Calls of one message run side by side, so their order says nothing.
    return "calls:" + canonical(sorted(compared(*call) for call in calls))
