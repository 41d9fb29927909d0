"""Finds question, candidate and reference in what evaluators are handed: texts, chat messages, or dicts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from egrm_graph.errors import InputError


def asked_in(inputs: Any, key: str | None = None) -> dict[str, Any]:
    """The graph's input keys for a question: `question`, or `messages` that end with one.

    Raises:
        InputError: it is not to be seen which of the keys has the question.
    """
    if key is None and isinstance(inputs, Mapping) and ("question" in inputs or "messages" in inputs):
        return {name: inputs[name] for name in ("question", "messages", "tools") if name in inputs}
    value = _entry(inputs, key, "question_key")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {"messages": list(value)}
    return {"question": value}


def asked_before(outputs: Any) -> dict[str, Any]:
    """The same for a conversation alone, whose last message is the candidate.

    Raises:
        InputError: it is no conversation.
    """
    said = outputs.get("messages") if isinstance(outputs, Mapping) else outputs
    if not isinstance(said, Sequence) or isinstance(said, str) or len(said) < 2:
        raise InputError("there is no question: give inputs, or as outputs the whole conversation")
    return {"messages": list(said[:-1])}


def candidate_in(outputs: Any, key: str | None = None) -> Any:
    """The candidate: a text or a message; of several messages the last.

    Raises:
        InputError: it is not to be seen which of the keys has the answer.
    """
    if key is None and isinstance(outputs, Mapping):
        if "content" in outputs and ("role" in outputs or "type" in outputs):
            return outputs
        key = "messages" if "messages" in outputs else None
    value = _entry(outputs, key, "answer_key")
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value:
            raise InputError("there is no message to judge: the list is empty")
        value = value[-1]
    return value if isinstance(value, Mapping | BaseMessage) else _text(value)


def reference_in(outputs: Any, key: str | None = None) -> str | None:
    """The reference answer as text; None where nothing was handed in.

    Raises:
        InputError: it is not to be seen which of the keys has the reference.
    """
    if outputs is None or (isinstance(outputs, Mapping) and not outputs):
        return None
    value = candidate_in(outputs, key) if key is None else _entry(outputs, key, "reference_key")
    if isinstance(value, Mapping):
        value = value.get("content")
    return value.text if isinstance(value, BaseMessage) else None if value is None else _text(value)


def _entry(given: Any, key: str | None, parameter: str) -> Any:
    if not isinstance(given, Mapping):
        return given
    known = ", ".join(map(repr, given)) or "none"
    if key is None and len(given) != 1:
        raise InputError(f"there are the keys {known}; say by {parameter} which of them to take")
    if key is not None and key not in given:
        raise InputError(f"there is no key {key!r}, only {known}; set {parameter} to one of them")
    return next(iter(given.values())) if key is None else given[key]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise InputError(f"{value!r} is {type(value).__name__}; give a text or a message")
