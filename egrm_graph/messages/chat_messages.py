"""Reads chat messages as OpenAI's API, TRL, and datasets write them.

They leave out more than LangChain's own reader allows: a tool's message has no id, an assistant's that calls tools has
no content, arguments are objects where OpenAI has JSON text, and a column of messages has every key in every message,
with None where there is nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
    convert_to_messages,
)
from pydantic import ValidationError

from egrm_graph.errors import InputError
from egrm_graph.settings import explain
from egrm_graph.values import builtin, full_text

_ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "ai", "model"), "assistant"),
    **dict.fromkeys(("tool", "function", "ipython", "environment", "observation"), "tool"),
}
_SAID = ("content", "tool_calls", "function_call", "refusal")
_TEXT_PARTS = ("text", "input_text", "output_text")
_MEDIA_PARTS = ("image", "image_url", "input_image", "audio", "input_audio", "video", "video_url", "file", "document")


def read_message(given: Any) -> BaseMessage:
    """One message, of whatever form.

    Raises:
        InputError: it has no known role, or its content or tool calls are of no known form.
    """
    if isinstance(given, BaseMessage):
        return given
    if not isinstance(given, Mapping) or given.get("lc") == 1:
        return _of_langchain(given)
    given = _unwrapped(given)
    role = _role(given)
    if role is None:
        named = given.get("role") or given.get("type")
        raise InputError(f"it has the role {named!r}; known roles are {', '.join(map(repr, _ROLES))}")
    try:
        return _built(given, role)
    except ValidationError as error:
        raise InputError(f"it is not a message: {explain(error)}") from error


def read_messages(given: Any) -> list[BaseMessage]:
    """A conversation; a message alone counts as a list of it, and a text as a user's message.

    Raises:
        InputError: a message cannot be read; names its place, counted from 0.
    """
    given = builtin(given)
    if isinstance(given, str | Mapping | BaseMessage):
        given = [given]
    if not isinstance(given, Sequence):
        raise InputError(f"messages is {type(given).__name__}; give a list of messages")
    messages = []
    for i, each in enumerate(given):
        try:
            messages.append(read_message(each))
        except InputError as error:
            raise InputError(f"message {i} cannot be read: {error}") from error
    return messages


def is_message(value: Any) -> bool:
    """Whether a value is a message, not a text and not just any object."""
    if not isinstance(value, Mapping):
        return isinstance(value, BaseMessage)
    value = _unwrapped(value)
    return _role(value) is not None and any(key in value for key in _SAID)


def is_conversation(value: Any) -> bool:
    """Whether a value is a list of messages."""
    value = builtin(value)
    return isinstance(value, Sequence) and not isinstance(value, str) and bool(value) and all(map(is_message, value))


def last_answer(messages: Sequence[BaseMessage]) -> int:
    """The index of the assistant's last message: what others, such as tools, say after it is not its own.

    Raises:
        InputError: there is none.
    """
    for i in range(len(messages) - 1, -1, -1):
        if isinstance(messages[i], AIMessage):
            return i
    raise InputError(f"none of the {len(messages)} messages is the assistant's, so there is nothing to judge")


def _built(given: Mapping[str, Any], role: str) -> BaseMessage:
    said = given.get("content")
    content = _content(given.get("refusal") if said is None or (isinstance(said, str) and not said) else said, role)
    if role == "system":
        return SystemMessage(content)
    if role == "user":
        return HumanMessage(content)
    if role == "tool":
        return ToolMessage(content, tool_call_id=str(given.get("tool_call_id") or ""), name=given.get("name"))
    calls, invalid = _calls(given)
    return AIMessage(content, tool_calls=calls, invalid_tool_calls=invalid)


def _unwrapped(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `messages_to_dict` of LangChain puts below `data`."""
    held = given.get("data")
    return {**held, "type": given.get("type")} if isinstance(held, Mapping) and "content" in held else given


def _role(given: Mapping[str, Any]) -> str | None:
    named = given.get("role") or given.get("type")
    return _ROLES.get(named.lower()) if isinstance(named, str) else None


def _of_langchain(given: Any) -> BaseMessage:
    """LangChain's own forms: a text, a pair of role and text, or a serialized message."""
    try:
        [message] = convert_to_messages([given])
    except (ValueError, NotImplementedError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{str(given)[:80]!r} is not a message; give an object with 'role' and 'content'") from error
    return message


def _content(content: Any, role: str) -> Any:
    if content is None:
        return ""
    content = builtin([content] if isinstance(content, Mapping) else content)
    if isinstance(content, str) or not isinstance(content, Sequence):
        return full_text(content, "a message's content")
    parts = [_part(part) for part in content]
    kinds = [
        part.get("type") if isinstance(part, dict) else "text" if isinstance(part, str) else None for part in parts
    ]
    # What a tool gives back may be any list: TRL hands it on as it is.
    known = all(kind in _TEXT_PARTS + _MEDIA_PARTS for kind in kinds) if role == "tool" else None not in kinds
    return parts if known else full_text(content, "a message's content")


def _part(part: Any) -> Any:
    """A content part without the keys that hold nothing, text under the one name that LangChain reads."""
    if not isinstance(part, Mapping):
        return part
    held = {key: value for key, value in part.items() if value is not None}
    if held.get("type", "text") in _TEXT_PARTS and isinstance(held.get("text"), str):
        return {"type": "text", "text": held["text"]}
    return held


def _calls(given: Mapping[str, Any]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """The tool calls, and those whose arguments are not an object, with their raw text."""
    listed, older = builtin(given.get("tool_calls")), given.get("function_call")
    if listed is not None and (isinstance(listed, str) or not isinstance(listed, Sequence)):
        raise InputError(f"tool_calls is {type(listed).__name__}; give a list of objects with a name and arguments")
    calls, invalid = [], []
    for call in [*(listed or ()), *([] if older is None else [older])]:
        inner = (call.get("function") or call.get("custom") or call) if isinstance(call, Mapping) else call
        if not isinstance(inner, Mapping):
            raise InputError(f"a tool call is {str(inner)[:80]!r}; give an object with a name and arguments")
        given_args: Any = next((inner[key] for key in ("arguments", "args", "input") if inner.get(key) is not None), {})
        args, name, identity = _arguments(given_args), inner.get("name"), call.get("id")
        identity = None if identity is None else str(identity)
        if isinstance(args, dict) and isinstance(name, str):
            calls.append(ToolCall(name=name, args=args, id=identity))
        else:
            text = args if isinstance(args, str) else full_text(args, "a tool call's arguments")
            invalid.append(InvalidToolCall(type="invalid_tool_call", name=name, args=text, id=identity, error=None))
    return calls, invalid


def _arguments(args: Any) -> Any:
    if not isinstance(args, str):
        return dict(args) if isinstance(args, Mapping) else args
    try:
        return json.loads(args.strip() or "{}", strict=False)
    except (ValueError, RecursionError):
        return args
