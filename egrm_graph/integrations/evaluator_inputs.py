"""Finds question, candidate, and reference in what evaluators are given: texts, messages, other values, dicts of them.

A conversation or a message is read as one. Any other value that is not a text is written out in full, as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from langchain_core.messages import BaseMessage

from egrm_graph.errors import InputError
from egrm_graph.integrations.calling import shown_text
from egrm_graph.messages.chat_messages import is_conversation, is_message, last_answer, read_message, read_messages
from egrm_graph.values import full_text

Field = Literal["question", "answer", "reference"]


def asked_in(inputs: Any, key: str | None = None) -> dict[str, Any]:
    """The graph's input keys for a question: `question`, or `messages` that end with one.

    Raises:
        InputError: several keys could hold the question, or its value cannot be written out.
    """
    if key is None and isinstance(inputs, Mapping) and not is_message(inputs):
        given = {name: inputs[name] for name in ("question", "messages", "tools") if inputs.get(name) is not None}
        if "question" in given or "messages" in given:
            read = {"question": lambda value: full_text(value, "the question"), "messages": read_messages}
            return {name: read[name](value) if name in read else value for name, value in given.items()}
    return question_in(_entry(inputs, key, "question"))


def question_in(value: Any) -> dict[str, Any]:
    """The same for the value that has the question.

    Raises:
        InputError: it is None, or cannot be written out.
    """
    if value is None:
        raise InputError("there is no question: it is None")
    if is_message(value) or is_conversation(value):
        return {"messages": read_messages(value)}
    return {"question": full_text(value, "the question")}


def asked_before(outputs: Any) -> dict[str, Any]:
    """The same for a conversation alone, in which the assistant's last message is the candidate.

    Raises:
        InputError: it is not a conversation, or nobody asked the assistant anything.
    """
    said = outputs.get("messages") if isinstance(outputs, Mapping) else outputs
    if is_conversation(said):
        messages = read_messages(said)
        if before := messages[: last_answer(messages)]:
            return {"messages": before}
    raise InputError("there is no question: give inputs, or as outputs the whole conversation")


def candidate_in(outputs: Any, key: str | None = None) -> str | BaseMessage:
    """The candidate: a text or a message; of a conversation, the assistant's last message.

    Raises:
        InputError: several keys could hold the answer, there is none, or it cannot be written out.
    """
    value = _said(outputs, key, "answer")
    if value is None:
        raise InputError("there is no answer: the output is None")
    return value


def reference_in(outputs: Any, key: str | None = None) -> str | None:
    """The reference answer as text; None where there is none.

    Raises:
        InputError: several keys could hold the reference, or it cannot be shown as text.
    """
    if outputs is None or (isinstance(outputs, Mapping) and not outputs):
        return None
    value = _said(outputs, key, "reference")
    return shown_text(value, "the reference") if isinstance(value, BaseMessage) else value


def _said(outputs: Any, key: str | None, field: Field) -> str | BaseMessage | None:
    if is_message(outputs) and key is None:
        return read_message(outputs)
    if key is None and isinstance(outputs, Mapping) and "messages" in outputs:
        key = "messages"
    value = _entry(outputs, key, field)
    if is_message(value):
        return read_message(value)
    if is_conversation(value) or (key == "messages" and value is not None):
        messages = read_messages(value)
        return messages[last_answer(messages)]
    return None if value is None else full_text(value, f"the {field}")


def _entry(given: Any, key: str | None, field: Field) -> Any:
    if not isinstance(given, Mapping):
        return given
    if key is None and not given:
        raise InputError(f"there is no {field}: the object is empty")
    known = ", ".join(map(repr, given)) or "none"
    if key is None and len(given) != 1:
        raise InputError(f"there are the keys {known}; say which one has the {field}: fields=Fields({field}=...)")
    if key is not None and key not in given:
        raise InputError(f"there is no key {key!r}, only {known}; set fields=Fields({field}=...) to one of them")
    return next(iter(given.values())) if key is None else given[key]
