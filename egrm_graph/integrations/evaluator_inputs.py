"""Find the question, candidate, and reference in the arguments of an evaluator.

The arguments are texts, messages, other values, or dicts of these. Values other than texts, messages, and conversations
are written in full, as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from langchain_core.messages import BaseMessage

from egrm_graph.errors import InputError
from egrm_graph.integrations.graph_calls import message_text
from egrm_graph.messages.chat_messages import is_conversation, is_message, last_answer, read_message, read_messages
from egrm_graph.values import full_text

_Field = Literal["question", "answer", "reference"]


def find_question(inputs: Any, key: str | None = None) -> dict[str, Any]:
    """Return the graph's input for a question: `question`, or `messages` that end with one.

    Raises:
        InputError: several keys could hold the question, or its value cannot be written as text.
    """
    if key is None and isinstance(inputs, Mapping) and not is_message(inputs):
        present = {name: inputs[name] for name in ("question", "messages", "tools") if inputs.get(name) is not None}
        if "question" in present or "messages" in present:
            readers = {"question": lambda value: full_text(value, "the question"), "messages": read_messages}
            return {name: readers[name](value) if name in readers else value for name, value in present.items()}
    return question_input(_entry(inputs, key, "question"))


def question_input(value: Any) -> dict[str, Any]:
    """Return the graph's input for a value that is the question.

    Raises:
        InputError: the value is None, or cannot be written as text.
    """
    if value is None:
        raise InputError("there is no question: it is None")
    if is_message(value) or is_conversation(value):
        return {"messages": read_messages(value)}
    return {"question": full_text(value, "the question")}


def question_before_answer(outputs: Any) -> dict[str, Any]:
    """Return the graph's input for a conversation whose last assistant message is the candidate.

    Raises:
        InputError: the value is not a conversation, or starts with the candidate.
    """
    conversation = outputs.get("messages") if isinstance(outputs, Mapping) else outputs
    if is_conversation(conversation):
        messages = read_messages(conversation)
        if before := messages[: last_answer(messages)]:
            return {"messages": before}
    raise InputError("there is no question: give inputs, or give the full conversation as outputs")


def candidate_in(outputs: Any, key: str | None = None) -> str | BaseMessage:
    """Return the candidate: a text, a message, or the last assistant message of a conversation.

    Raises:
        InputError: several keys could hold the answer, or it is missing or cannot be written as text.
    """
    value = _text_or_message(outputs, key, "answer")
    if value is None:
        raise InputError("there is no answer: the output is None")
    return value


def reference_in(outputs: Any, key: str | None = None) -> str | None:
    """Return the reference answer as text, or None without one.

    Raises:
        InputError: several keys could hold the reference, or it cannot be written as text.
    """
    if outputs is None or (isinstance(outputs, Mapping) and not outputs):
        return None
    value = _text_or_message(outputs, key, "reference")
    return message_text(value, "the reference") if isinstance(value, BaseMessage) else value


def _text_or_message(outputs: Any, key: str | None, field: _Field) -> str | BaseMessage | None:
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


def _entry(values: Any, key: str | None, field: _Field) -> Any:
    if not isinstance(values, Mapping):
        return values
    if key is None and not values:
        raise InputError(f"there is no {field}: the object is empty")
    known = ", ".join(map(repr, values)) or "none"
    if key is None and len(values) != 1:
        raise InputError(f"there are the keys {known}; say which one has the {field}: fields=Fields({field}=...)")
    if key is not None and key not in values:
        raise InputError(f"there is no key {key!r}, only {known}; set fields=Fields({field}=...) to one of them")
    return next(iter(values.values())) if key is None else values[key]
