"""Read chat messages as OpenAI's API, TRL, and data sets write them.

These leave out more than LangChain's own reader allows. A tool message may have no id. An assistant message with tool
calls may have no content. Arguments may be objects, while OpenAI writes JSON text. In a column of messages, every
message has every key, with None for a missing value.
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
from egrm_graph.values import builtin, excerpt, full_text

_ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "ai", "model"), "assistant"),
    **dict.fromkeys(("tool", "function", "ipython", "environment", "observation"), "tool"),
}
_CONTENT_KEYS = ("content", "tool_calls", "function_call", "refusal")
_TEXT_PARTS = ("text", "input_text", "output_text")
_MEDIA_PARTS = ("image", "image_url", "input_image", "audio", "input_audio", "video", "video_url", "file", "document")


def read_message(value: Any) -> BaseMessage:
    """Read a message in any form.

    Raises:
        InputError: the message has no known role, or its content or tool calls have no known form.
    """
    if isinstance(value, BaseMessage):
        return value
    if not isinstance(value, Mapping) or value.get("lc") == 1:
        return _from_langchain(value)
    fields = _unwrapped(value)
    role = _role(fields)
    if role is None:
        stated = excerpt(fields.get("role") or fields.get("type"))
        raise InputError(f"it has the role {stated}; known roles are {', '.join(map(repr, _ROLES))}")
    try:
        return _built(fields, role)
    except ValidationError as error:
        raise InputError(f"it is not a message: {_explained(error)}") from error


def read_messages(value: Any) -> list[BaseMessage]:
    """Read a conversation. A single message counts as a list, and a text as a user message.

    Raises:
        InputError: a message cannot be read. The error gives its index, counted from 0.
    """
    value = builtin(value)
    items = [value] if isinstance(value, str | Mapping | BaseMessage) else value
    if not isinstance(items, Sequence):
        raise InputError(f"messages is {type(items).__name__}; give a list of messages")
    messages = []
    for i, item in enumerate(items):
        try:
            messages.append(read_message(item))
        except InputError as error:
            raise InputError(f"message {i} cannot be read: {error}") from error
    return messages


def is_message(value: Any) -> bool:
    """Return whether a value is a message, not a text or any other object."""
    if not isinstance(value, Mapping):
        return isinstance(value, BaseMessage)
    value = _unwrapped(value)
    return _role(value) is not None and any(key in value for key in _CONTENT_KEYS)


def is_conversation(value: Any) -> bool:
    """Return whether a value is a non-empty list of messages."""
    value = builtin(value)
    return isinstance(value, Sequence) and not isinstance(value, str) and bool(value) and all(map(is_message, value))


def last_answer(messages: Sequence[BaseMessage]) -> int:
    """Return the index of the assistant's last message. Messages of others, such as tools, may follow it.

    Raises:
        InputError: the assistant has no message.
    """
    for i in range(len(messages) - 1, -1, -1):
        if isinstance(messages[i], AIMessage):
            return i
    raise InputError(f"none of the {len(messages)} messages is the assistant's, so there is nothing to judge")


def convert_langchain(values: Sequence[Any]) -> list[BaseMessage]:
    """Convert messages in LangChain's own forms: a text, a pair of role and text, or an object.

    Raises:
        InputError: a value is not a message, or is nested too deeply.
    """
    try:
        return list(convert_to_messages(values))
    except RecursionError as error:
        raise InputError("it is nested too deeply") from error
    except AttributeError as error:
        raise InputError("a field has the wrong type") from error
    except (ValueError, NotImplementedError, TypeError, KeyError) as error:
        raise InputError(str(error)) from error


def _built(fields: Mapping[str, Any], role: str) -> BaseMessage:
    said = fields.get("content")
    content = _content(fields.get("refusal") if said is None or (isinstance(said, str) and not said) else said, role)
    if role == "system":
        return SystemMessage(content)
    if role == "user":
        return HumanMessage(content)
    if role == "tool":
        return ToolMessage(content, tool_call_id=_identifier(fields.get("tool_call_id") or ""), name=fields.get("name"))
    calls, invalid = _calls(fields)
    return AIMessage(content, tool_calls=calls, invalid_tool_calls=invalid)


def _explained(error: ValidationError) -> str:
    try:
        return explain(error)
    except RecursionError:  # the explanation has the value
        return "a field is nested too deeply"


def _unwrapped(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields that LangChain's `messages_to_dict` puts below `data`."""
    data = fields.get("data")
    return {**data, "type": fields.get("type")} if isinstance(data, Mapping) and "content" in data else fields


def _role(fields: Mapping[str, Any]) -> str | None:
    stated = fields.get("role") or fields.get("type")
    return _ROLES.get(stated.lower()) if isinstance(stated, str) else None


def _from_langchain(value: Any) -> BaseMessage:
    """Read a text, a pair of role and text, or a serialized message."""
    try:
        [message] = convert_langchain([value])
    except InputError as error:
        raise InputError(f"{excerpt(value)} is not a message; give an object with 'role' and 'content'") from error
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
    # A tool may return any list, which TRL passes on unchanged.
    known = all(kind in _TEXT_PARTS + _MEDIA_PARTS for kind in kinds) if role == "tool" else None not in kinds
    return parts if known else full_text(content, "a message's content")


def _part(part: Any) -> Any:
    """Drop the keys without a value, and put text under the key that LangChain reads."""
    if not isinstance(part, Mapping):
        return part
    fields = {key: value for key, value in part.items() if value is not None}
    if fields.get("type", "text") in _TEXT_PARTS and isinstance(fields.get("text"), str):
        return {"type": "text", "text": fields["text"]}
    return fields


def _calls(fields: Mapping[str, Any]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Return the tool calls, and separately those whose arguments are not an object, with their raw text."""
    current, older = builtin(fields.get("tool_calls")), fields.get("function_call")
    if current is not None and (isinstance(current, str) or not isinstance(current, Sequence)):
        raise InputError(f"tool_calls is {type(current).__name__}; give a list of objects with a name and arguments")
    calls, invalid = [], []
    for call in [*(current or ()), *([] if older is None else [older])]:
        inner = (call.get("function") or call.get("custom") or call) if isinstance(call, Mapping) else call
        if not isinstance(inner, Mapping):
            raise InputError(f"a tool call is {excerpt(inner)}; give an object with a name and arguments")
        raw: Any = next((inner[key] for key in ("arguments", "args", "input") if inner.get(key) is not None), {})
        args, name = _arguments(raw), inner.get("name")
        call_id = None if call.get("id") is None else _identifier(call["id"])
        if isinstance(args, dict) and isinstance(name, str):
            calls.append(ToolCall(name=name, args=args, id=call_id))
        else:
            text = args if isinstance(args, str) else full_text(args, "`arguments` of a tool call")
            invalid.append(InvalidToolCall(type="invalid_tool_call", name=name, args=text, id=call_id, error=None))
    return calls, invalid


def _identifier(value: Any) -> str:
    try:
        return str(value)
    except RecursionError as error:
        raise InputError("the id of a tool call is nested too deeply; give a text") from error


def _arguments(args: Any) -> Any:
    if not isinstance(args, str):
        return dict(args) if isinstance(args, Mapping) else args
    try:
        return json.loads(args.strip() or "{}", strict=False)
    except (ValueError, RecursionError):
        return args
