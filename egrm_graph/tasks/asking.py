"""Reads a run's input: the question, the conversation before it, and the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import convert_to_messages

from egrm_graph.errors import InputError
from egrm_graph.tasks.task import Task
from egrm_graph.verification import Asked, Message

ROLES = {"system": "system", "human": "user", "ai": "assistant"}


def ask(given: Mapping[str, Any], task: Task, *, run_id: str, started_at: float) -> Asked:
    """What is asked. Where both a question and messages are given, the messages are the conversation before it.

    Raises:
        InputError: there is no question, or none that the task can ask.
    """
    messages = _messages(given.get("messages") or [])
    question = given.get("question")
    if question is None:
        if not messages:
            raise InputError(
                "there is nothing to ask: give 'question', or 'messages' that end with the user's question"
            )
        if messages[-1]["role"] != "user":
            raise InputError(f"the last message is the {messages[-1]['role']}'s; it has to be the user's question")
        question = messages.pop()["content"]
    reference = given.get("reference")
    if reference is not None and not isinstance(reference, str):
        raise InputError(f"reference={reference!r} is {type(reference).__name__}; give it as text")
    return Asked(
        run_id=run_id, started_at=started_at, question=task.check(question), history=messages, reference=reference
    )


def _messages(given: Sequence[Any]) -> list[Message]:
    """The messages as roles and plain text; those without text, or with a tool's, are not part of a question."""
    try:
        messages = convert_to_messages(list(given))
    except (ValueError, NotImplementedError, TypeError) as error:
        raise InputError(f"messages cannot be read: {error}") from error
    return [
        Message(role=ROLES[message.type], content=message.text)
        for message in messages
        if message.type in ROLES and message.text
    ]
