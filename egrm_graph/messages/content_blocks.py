"""Read the text and the tool calls of a message from the content blocks of any provider.

A message's content is a text or a list of blocks, and every provider has its own block types. Some are text. Some
repeat `tool_calls`, or hold thoughts, citations, or the work of tools that ran at the provider; the text has their
results. Some ask the caller to act (`computer_call`), so they count as tool calls. Anything else, such as a picture or
an unknown type, cannot be written as text, and `hidden` names it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from egrm_graph.values import excerpt, json_text

ToolInvocation = tuple[str, Any]
"""A tool's name and its arguments, or the raw text of invalid arguments."""

_TEXTS = {
    **dict.fromkeys(("text", "input_text", "output_text", "text-plain"), "text"),
    "reference": "text",  # Mistral's citations, which may hold the cited part of the answer
    "refusal": "refusal",
}
"""Block types that are text, and the key of the text."""
_CALLS = {
    *("tool_call", "tool_call_chunk", "invalid_tool_call"),  # LangChain's own
    *("tool_use", "input_json_delta"),  # Anthropic, Bedrock
    *("function_call", "custom_tool_call"),  # OpenAI
}
"""Tool calls, which LangChain repeats in `tool_calls`."""
_ACTIONS = {"computer_call", "local_shell_call", "shell_call", "apply_patch_call", "mcp_approval_request"}
"""What OpenAI asks the caller to do, but LangChain does not put in `tool_calls`."""
_BOOKKEEPING = {"type", "id", "call_id", "status", "index"}
_SILENT = {
    *("reasoning", "thinking", "redacted_thinking", "reasoning_content"),
    *("server_tool_call", "server_tool_call_chunk", "server_tool_result", "tool_result"),
    *("server_tool_use", "mcp_tool_use"),  # Anthropic, Bedrock
    *("web_search_call", "file_search_call", "code_interpreter_call", "mcp_call", "mcp_list_tools"),  # OpenAI
    *("tool_search_call", "tool_search_output", "apply_patch_call_output"),
    *("executable_code", "code_execution_result"),  # Google
    *("citation", "compaction", "container_upload"),
}
_SILENT_ENDINGS = ("_tool_result", "_signature")
_SILENT_ANYWHERE = {"cache_point", "cachePoint"}
"""Markers for a provider's prompt cache, in messages of any role."""


@dataclass(frozen=True)
class Content:
    """The content of a message."""

    texts: tuple[str, ...]
    calls: tuple[ToolInvocation, ...]
    hidden: str | None
    """The type of a part that cannot be written as text."""


def content_of(message: BaseMessage) -> Content:
    """Return the texts and tool calls of a message, and the type of a part that is neither.

    Raises:
        InputError: a JSON block is nested too deeply.
    """
    texts, hidden = list[str](), list[str]()
    calls = list(_calls(message))
    for block in _blocks(message):
        kind = _kind(block)
        if kind == "json":  # Bedrock's tools
            texts.append(json_text(block.get("json")))
        elif isinstance(text := _text(block, kind), str):
            texts += [text] if text else []
        elif not isinstance(message, AIMessage):
            hidden += [] if kind in _SILENT_ANYWHERE else [kind]
        elif kind in _CALLS:
            calls += _unlisted_call(block, message)
        elif kind in _ACTIONS:
            arguments = {name: value for name, value in block.items() if name not in _BOOKKEEPING}
            calls.append((kind.removesuffix("_call"), arguments))
        elif kind not in _SILENT | _SILENT_ANYWHERE and not kind.endswith(_SILENT_ENDINGS):
            hidden.append(kind)
    return Content(tuple(texts), tuple(calls), hidden[0] if hidden else None)


def _blocks(message: BaseMessage) -> Iterator[Mapping[str, Any]]:
    """Yield the blocks of the content, then the blocks that older provider formats store outside of it."""
    for block in [message.content] if isinstance(message.content, str) else message.content:
        yield {"type": "text", "text": block} if isinstance(block, str) else _unwrapped(block)
    if isinstance(refusal := message.additional_kwargs.get("refusal"), str):
        yield {"type": "refusal", "refusal": refusal}
    if message.additional_kwargs.get("audio"):
        yield {"type": "audio"}
    for output in message.additional_kwargs.get("tool_outputs") or ():
        if isinstance(output, Mapping):
            yield output


def _unwrapped(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the provider's own block if LangChain has no standard block for it."""
    while block.get("type") == "non_standard" and isinstance(value := block.get("value"), Mapping):
        block = value
    return block


def _kind(block: Mapping[str, Any]) -> str:
    if (kind := block.get("type")) is not None:
        return kind if isinstance(kind, str) else excerpt(kind)
    return next((name for name in ("text", *_SILENT_ANYWHERE) if name in block), "unknown")


def _text(block: Mapping[str, Any], kind: str) -> Any:
    """Return the text of a block. None if the block is not a text, or its text is not in the message."""
    if kind not in _TEXTS:
        return None
    return block.get(_TEXTS[kind]) or (None if kind == "text-plain" else "")


def _calls(message: BaseMessage) -> Iterator[ToolInvocation]:
    if isinstance(message, AIMessage):
        for call in message.tool_calls:
            yield call["name"], call["args"]
        for invalid in message.invalid_tool_calls:
            yield str(invalid.get("name")), str(invalid.get("args"))


def _unlisted_call(block: Mapping[str, Any], message: AIMessage) -> list[ToolInvocation]:
    """Return the call in a block if `tool_calls` lacks it, as in messages that LangChain did not create."""
    known = [*message.tool_calls, *message.invalid_tool_calls]
    name, call_id = block.get("name"), block.get("call_id") or block.get("id")
    if not name or call_id in [call.get("id") for call in known]:
        return []
    if call_id is None and name in [call.get("name") for call in known]:
        return []
    arguments = next((block[key] for key in ("input", "args", "arguments") if key in block), None)
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError, RecursionError):  # invalid arguments keep their raw text
            arguments = json.loads(arguments)
    return [(name if isinstance(name, str) else excerpt(name), arguments)]
