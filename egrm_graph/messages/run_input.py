"""Reads a run's input: the question, the conversation before it, and the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage, convert_to_messages

from egrm_graph.errors import InputError
from egrm_graph.messages.candidates import written_call
from egrm_graph.messages.content_blocks import Content, content_of
from egrm_graph.values import plain_text
from egrm_graph.verification import Message

ROLES = {"system": "system", "human": "user", "ai": "assistant"}


def question_of(given: Mapping[str, Any]) -> tuple[str, list[Message]]:
    """The question and the messages before it. Where both a question and messages are given, the messages are the
    conversation before it; the text of a question is not looked at.

    Raises:
        InputError: there is no question, the messages do not end with one, or they have a part that is not text.
    """
    messages = _plain(messages_of(given))
    question = asked_alone(given)
    if question is None:
        if not messages:
            raise InputError(
                "there is nothing to ask: give 'question', or 'messages' that end with the user's question"
            )
        if messages[-1]["role"] != "user":
            raise InputError(f"the last message is the {messages[-1]['role']}'s; it has to be the user's question")
        question = messages.pop()["content"]
    return question, messages


def asked_alone(given: Mapping[str, Any]) -> Any:
    """The question that is given apart from the messages, if there is one; of a list of content parts their text.

    Raises:
        InputError: a part is not text.
    """
    question = given.get("question")
    if not isinstance(question, list):
        return question
    try:
        message = HumanMessage(question)
    except ValueError as error:
        raise InputError(f"question={question!r} is neither a text nor a list of content parts: {error}") from error
    return "\n".join(_shown(message, "question").texts)


def reference_of(given: Mapping[str, Any]) -> str | None:
    """The reference answer as text, where there is one. A number or a boolean counts as its JSON text.

    Raises:
        InputError: it is a list, an object, or not a finite number.
    """
    reference = given.get("reference")
    return None if reference is None else plain_text(reference, "reference")


def rubric_of(given: Mapping[str, Any]) -> str | None:
    """The rubric, where there is one.

    Raises:
        InputError: it is not text.
    """
    rubric = given.get("rubric")
    if rubric is not None and not isinstance(rubric, str):
        raise InputError(f"rubric={rubric!r} is {type(rubric).__name__}; give it as text")
    return rubric


def messages_of(given: Mapping[str, Any]) -> list[BaseMessage]:
    """The messages of the input; one alone counts as a list of it.

    Raises:
        InputError: they cannot be read as messages.
    """
    messages: Any = given.get("messages") or []
    if isinstance(messages, str | Mapping | BaseMessage):
        messages = [messages]  # as a text, what MCP's clients are told to send
    try:
        return list(convert_to_messages(list(messages)))
    except (ValueError, NotImplementedError, TypeError, KeyError) as error:
        raise InputError(f"messages cannot be read: {error}") from error


def transcript(messages: Sequence[BaseMessage]) -> list[tuple[str, str]]:
    """A conversation as who said what, tool calls and their results included.

    Raises:
        InputError: a message has a part that cannot be shown as text.
    """
    said = []
    for i, message in enumerate(messages):
        content = _shown(message, f"messages[{i}]")
        result = isinstance(message, ToolMessage)
        who = "tool result" if result else ROLES.get(message.type, message.type)
        named = [f"of {message.name}:"] if result and message.name else []
        text = "\n".join([*named, *content.texts, *(written_call(*call) for call in content.calls)])
        said += [(who, text)] if text else []
    return said


def _plain(messages: Sequence[BaseMessage]) -> list[Message]:
    """The messages as roles and plain text; those without text, or with a tool's, are not part of a question."""
    contents = [_shown(message, f"messages[{i}]") for i, message in enumerate(messages)]
    return [
        Message(role=ROLES[message.type], content="\n".join(content.texts))
        for message, content in zip(messages, contents, strict=True)
        if message.type in ROLES and content.texts
    ]


def _shown(message: BaseMessage, where: str) -> Content:
    """What a message says, if a text model can be shown all of it."""
    content = content_of(message)
    if content.hidden is not None:
        raise InputError(
            f"{where} has a part of type {content.hidden!r}, and a model is shown text alone; "
            "describe the part in words, or leave it out"
        )
    return content
