"""Read values that are nested too deeply for recursion: `<nested>` is a list in a list, `<nested JSON>` its text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from egrm_graph.errors import InputError
from egrm_graph.messages.candidates import canonical, read_candidates
from egrm_graph.messages.chat_messages import read_message
from egrm_graph.messages.content_blocks import content_of
from egrm_graph.messages.run_input import messages_of, question_of, rubric_of, transcript

DEPTH = 100_000
_WORDS_OF_PYDANTIC = re.compile(r" \([^)]*\);")
"""They differ between versions."""


def outcome(given: dict[str, Any]) -> str:
    [(reader, value)] = given.items()
    try:
        return _READERS[reader](_filled(value))
    except InputError as error:
        return f"InputError: {_WORDS_OF_PYDANTIC.sub(';', str(error))}"


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if value == "<nested JSON>":
        return "[" * DEPTH + "]" * DEPTH
    return _nested() if value == "<nested>" else value


def _nested() -> list[Any]:
    value: list[Any] = []
    for _ in range(DEPTH):
        value = [value]
    return value


def _candidate(value: Any) -> str:
    [candidate] = read_candidates([value])
    return f"unfit: {candidate.unfit}" if candidate.unfit else _shortened(candidate.text)


def _content(value: Any) -> str:
    content = content_of(read_message(value))
    return f"{len(content.texts)} texts, {len(content.calls)} calls, hidden: {content.hidden}"


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:30]}… ({len(text)} characters)"


_READERS: dict[str, Callable[[Any], str]] = {
    "canonical": canonical,
    "read_candidates": _candidate,
    "read_message": lambda value: _shortened(repr(read_message(value).text)),
    "content_of": _content,
    "question_of": lambda value: question_of(value)[0],
    "rubric_of": lambda value: str(rubric_of(value)),
    "transcript": lambda value: str(transcript(messages_of(value))),
}
