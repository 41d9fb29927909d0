"""Answers that arrive in chunks: counted as they come, and put together as if they had come whole."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from egrm_graph.clients.client import Meter
from egrm_graph.clients.vllm_errors import Broken
from egrm_graph.verification import Usage

STREAMED = {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}
"""What a request says to be answered in chunks, each with the tokens so far."""


class Tally:
    """One request's tokens on its caller's meter, over all its tries."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._counted = 0

    def add(self, n_tokens: int) -> None:
        if n_tokens > 0:
            self._counted += n_tokens
            self._meter.add(n_tokens)

    def settle(self, usage: Usage) -> Usage:
        """The final usage, with what tries that broke off had generated: the meter then shows the same sum."""
        self.add(usage["completion_tokens"] - self._counted)
        lost = self._counted - usage["completion_tokens"]
        return Usage(**{**usage, "completion_tokens": self._counted, "cancelled_tokens": lost})


async def read_stream(response: aiohttp.ClientResponse, tally: Tally) -> dict[str, Any]:
    """The answer as the same request without streaming gets it."""
    answer = _Answer()
    async for chunk in _chunks(response):
        if "error" in chunk:
            raise Broken(f"{response.url} broke off: {chunk['error']}")
        answer.add(chunk, tally)
    return answer.whole()


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    buffer = b""
    # Not by aiohttp's lines: those have an upper length, and the first chunk holds the whole prompt's token ids.
    async for part in response.content.iter_any():
        *lines, buffer = (buffer + part).split(b"\n")
        for line in lines:
            if line.strip() == b"data: [DONE]":
                return
            if line.startswith(b"data:"):
                yield _parsed(line)
    raise Broken(f"{response.url} broke off before its answer was complete")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        chunk = json.loads(line.removeprefix(b"data:"))
    except ValueError as error:
        raise Broken(f"a chunk of the answer is not JSON: {error}") from error
    if not isinstance(chunk, dict):
        raise Broken(f"a chunk of the answer is {type(chunk).__name__}, not a JSON object")
    return chunk


class _Answer:
    def __init__(self) -> None:
        self._choices: dict[int, dict[str, Any]] = {}
        self._tokens: dict[int, int] = {}
        self._usage: dict[str, Any] = {}
        self._fingerprint: str | None = None

    def add(self, chunk: dict[str, Any], tally: Tally) -> None:
        self._fingerprint = chunk.get("system_fingerprint") or self._fingerprint
        for part in chunk.get("choices", []):
            self._add_choice(part)
            tally.add(self._grown(part, chunk.get("usage") or {}))
        if not chunk.get("choices"):
            self._usage = chunk.get("usage") or {}

    def whole(self) -> dict[str, Any]:
        return {
            "choices": list(self._choices.values()),
            "usage": self._usage,
            "system_fingerprint": self._fingerprint,
        }

    def _add_choice(self, part: dict[str, Any]) -> None:
        choice = self._choices.setdefault(part["index"], {"index": part["index"], "finish_reason": None})
        choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
        if part.get("token_ids") is not None:
            choice.setdefault("token_ids", []).extend(part["token_ids"])
        for key, values in (part.get("logprobs") or {}).items():
            choice.setdefault("logprobs", {}).setdefault(key, []).extend(values or [])
        if "delta" not in part:
            choice["text"] = choice.get("text", "") + (part.get("text") or "")
            return
        message = choice.setdefault("message", {"content": ""})
        for key in ("content", "reasoning", "reasoning_content"):
            if part["delta"].get(key):
                message[key] = message.get(key, "") + part["delta"][key]

    def _grown(self, part: dict[str, Any], usage: dict[str, Any]) -> int:
        """How many tokens this part brought: by the usage beside it, which counts its own choice only."""
        before = self._tokens.get(part["index"], 0)
        told = usage.get("completion_tokens")
        self._tokens[part["index"]] = before + len(part.get("token_ids") or []) if told is None else int(told)
        return self._tokens[part["index"]] - before
