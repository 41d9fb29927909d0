"""Read a run's input: the question, the conversation before it, and the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from egrm_graph.errors import InputError
from egrm_graph.messages.candidates import written_call
from egrm_graph.messages.chat_messages import convert_langchain
from egrm_graph.messages.content_blocks import Content, content_of
from egrm_graph.values import excerpt, plain_text
from egrm_graph.verification import Message

ROLES = {"system": "system", "human": "user", "ai": "assistant"}


def question_of(inputs: Mapping[str, Any]) -> tuple[str, list[Message]]:
    """Return the question and the messages before it. With a `question`, all `messages` come before it.

    Does not check the text of the question.

    Raises:
        InputError: the question is missing, the messages do not end with one, or a part of a message is not text.
    """
    messages = _plain(messages_of(inputs))
    question = asked_alone(inputs)
    if question is None:
        if not messages:
            raise InputError(
                "there is nothing to ask: give 'question', or 'messages' that end with the user's question"
            )
        if messages[-1]["role"] != "user":
            raise InputError(f"the last message is the {messages[-1]['role']}'s; it has to be the user's question")
        question = messages.pop()["content"]
    return question, messages


def asked_alone(inputs: Mapping[str, Any]) -> Any:
    """Return `question`, or None without one. If it is a list of content parts, return their text.

    Raises:
        InputError: a part is not text.
    """
    question = inputs.get("question")
    if not isinstance(question, list):
        return question
    try:
        message = HumanMessage(question)
    except ValueError as error:
        raise InputError(f"question={excerpt(question)} is neither a text nor a list of content parts") from error
    return "\n".join(_text_content(message, "question").texts)


def reference_of(inputs: Mapping[str, Any]) -> str | None:
    """Return the reference answer as text, or None without one. Numbers and booleans are written as JSON.

    Raises:
        InputError: the reference is a list, an object, or not a finite number.
    """
    reference = inputs.get("reference")
    return None if reference is None else plain_text(reference, "reference")


def rubric_of(inputs: Mapping[str, Any]) -> str | None:
    """Return the rubric, or None without one.

    Raises:
        InputError: the rubric is not text.
    """
    rubric = inputs.get("rubric")
    if rubric is not None and not isinstance(rubric, str):
        raise InputError(f"rubric={excerpt(rubric)} is {type(rubric).__name__}; give it as text")
    return rubric


def messages_of(inputs: Mapping[str, Any]) -> list[BaseMessage]:
    """Return the messages of the input. A single message counts as a list.

    Raises:
        InputError: a message cannot be read.
    """
    messages: Any = inputs.get("messages") or []
    if isinstance(messages, str | Mapping | BaseMessage):
        messages = [messages]  # the MCP schema of a served graph asks for a text
    try:
        return convert_langchain(list(messages))
    except (InputError, TypeError) as error:
        raise InputError(f"messages cannot be read: {error}") from error


def transcript(messages: Sequence[BaseMessage]) -> list[tuple[str, str]]:
    """Return a conversation as pairs of speaker and text, including tool calls and their results.

    Raises:
        InputError: a part of a message cannot be written as text.
    """
    turns = []
    for i, message in enumerate(messages):
        content = _text_content(message, f"messages[{i}]")
        is_result = isinstance(message, ToolMessage)
        speaker = "tool result" if is_result else ROLES.get(message.type, message.type)
        tool = [f"of {message.name}:"] if is_result and message.name else []
        text = "\n".join([*tool, *content.texts, *(written_call(*call) for call in content.calls)])
        turns += [(speaker, text)] if text else []
    return turns


def _plain(messages: Sequence[BaseMessage]) -> list[Message]:
    """Return the messages as roles and plain text, without tool messages and messages without text."""
    contents = [_text_content(message, f"messages[{i}]") for i, message in enumerate(messages)]
    return [
        Message(role=ROLES[message.type], content="\n".join(content.texts))
        for message, content in zip(messages, contents, strict=True)
        if message.type in ROLES and content.texts
    ]


def _text_content(message: BaseMessage, where: str) -> Content:
    """Return the content of a message that is text only. `where` names the message in errors."""
    try:
        content = content_of(message)
    except InputError as error:
        raise InputError(f"{where} cannot be read: {error}") from error
    if content.hidden is not None:
        raise InputError(
            f"{where} has a part of type {content.hidden!r}, but models read only text; "
            "describe the part in words, or leave it out"
        )
    return content
