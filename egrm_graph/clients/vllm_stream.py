"""Answers that arrive in chunks: counted as they come, and put together as if they had come whole."""

from __future__ import annotations

from typing import Any

import aiohttp

from egrm_graph.clients.client import Meter
from egrm_graph.clients.events import Events
from egrm_graph.clients.transport import read_json
from egrm_graph.clients.vllm_answers import Unreadable, count, place_of, read_content
from egrm_graph.clients.vllm_errors import Broken, error_in
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


async def read_answer(response: aiohttp.ClientResponse, tally: Tally | None) -> dict[str, Any]:
    """The answer, streamed or not: some servers do not do as they are asked."""
    kind = response.content_type
    if kind == "text/event-stream" or (tally is not None and kind != "application/json"):
        return await read_stream(response, tally or Tally(Meter()))
    return await read_json(response)


async def read_stream(response: aiohttp.ClientResponse, tally: Tally) -> dict[str, Any]:
    """The answer as the same request without streaming gets it.

    Raises:
        EgrmError: the stream broke off, or holds an error.
    """
    answer = Streamed(str(response.url), tally)
    # Not by aiohttp's lines: those have an upper length, and the first chunk holds the whole prompt's token ids.
    async for part in response.content.iter_any():
        answer.feed(part)
        if answer.done:
            break
    return answer.whole()


class Streamed:
    """An answer that comes in chunks."""

    def __init__(self, url: str, tally: Tally) -> None:
        self._url = url
        self._tally = tally
        self._events = Events()
        self._choices: dict[int, dict[str, Any]] = {}
        self._tokens: dict[int, int] = {}
        self._usage: dict[str, Any] = {}
        self._told_in_full = False
        self._fingerprint: str | None = None

    @property
    def done(self) -> bool:
        """Whether the server said that this is all."""
        return self._events.done

    def feed(self, part: bytes) -> None:
        """Takes the next bytes.

        Raises:
            EgrmError: they hold an error, or something other than JSON objects.
        """
        for chunk in self._events.feed(part):
            self._add(chunk)

    def _add(self, chunk: dict[str, Any]) -> None:
        if (error := error_in(self._url, chunk)) is not None:
            raise error
        self._fingerprint = chunk.get("system_fingerprint") or self._fingerprint
        usage = chunk["usage"] if isinstance(chunk.get("usage"), dict) else {}
        choices = chunk["choices"] if isinstance(chunk.get("choices"), list) else []
        parts = [part for part in choices if isinstance(part, dict)]
        for position, part in enumerate(parts):
            place = place_of(part, position)
            grown = self._add_choice(place, part)
            self._tally.add(self._grown(place, part, usage, grown))
        if usage and not (parts and self._told_in_full):
            self._usage, self._told_in_full = usage, not parts

    def whole(self) -> dict[str, Any]:
        """All chunks as one answer.

        Raises:
            EgrmError: the answer is not complete, or its end is an error.
        """
        for chunk in self._events.end():
            self._add(chunk)
        # Where every choice that began has ended, a stream needs no `[DONE]`.
        ended = self._choices and all(choice["finish_reason"] for choice in self._choices.values())
        if not (self.done or ended):
            raise Broken(f"{self._url} broke off before its answer was complete")
        usage = dict(self._usage)
        if len(self._choices) > 1 and not self._told_in_full:
            usage.pop("completion_tokens", None)  # those of one choice
        return {
            "choices": list(self._choices.values()),
            "usage": usage,
            "counted_tokens": sum(self._tokens.values()),
            "system_fingerprint": self._fingerprint,
        }

    def _add_choice(self, place: int, part: dict[str, Any]) -> bool:
        """Whether the part brought text."""
        choice = self._choices.setdefault(place, {"index": place, "finish_reason": None})
        ended = choice["finish_reason"]
        for key in ("finish_reason", "error"):
            choice[key] = part.get(key) or choice.get(key)
        if isinstance(part.get("token_ids"), list):
            choice.setdefault("token_ids", []).extend(part["token_ids"])
        grown = self._add_text(choice, part)
        self._add_logprobs(choice, part.get("logprobs"), needed=grown)
        if grown and ended:
            choice["unreadable"] = "the server went on after this choice had ended: several may be mixed in it"
        return grown

    @staticmethod
    def _add_logprobs(choice: dict[str, Any], logprobs: Any, *, needed: bool) -> None:
        """Text without log-probabilities leaves the choice without any: those of a part say nothing of the whole."""
        if isinstance(logprobs, dict) and choice.get("logprobs", {}) is not None:
            for key, values in logprobs.items():
                if isinstance(values, list):
                    choice.setdefault("logprobs", {}).setdefault(key, []).extend(values)
        elif needed:
            choice["logprobs"] = None

    @staticmethod
    def _add_text(choice: dict[str, Any], part: dict[str, Any]) -> bool:
        delta = part.get("delta") or part.get("message")
        if not isinstance(delta, dict):
            if isinstance(part.get("text"), str):
                choice["text"] = choice.get("text", "") + part["text"]
            elif isinstance(part.get("delta"), dict):  # an empty one
                choice.setdefault("message", {"content": ""})
            return bool(part.get("text"))
        message = choice.setdefault("message", {"content": ""})
        try:
            text, thoughts = read_content(delta.get("content"))
        except Unreadable as error:
            choice["unreadable"], text, thoughts = str(error), "", ""
        said = {"content": text, "refusal": delta.get("refusal"), "reasoning_content": delta.get("reasoning_content")}
        said["reasoning"] = thoughts or delta.get("reasoning")
        for key, value in said.items():
            if value and isinstance(value, str):
                message[key] = message.get(key, "") + value
        return any(said.values())

    def _grown(self, place: int, part: dict[str, Any], usage: dict[str, Any], grown: bool) -> int:
        """How many tokens this part brought: by the usage next to it, which counts its own choice only; else by its
        token ids, else one for any text."""
        before, told = self._tokens.get(place, 0), count(usage.get("completion_tokens"))
        if told is None:
            ids = part.get("token_ids")
            told = before + (len(ids) if isinstance(ids, list) else int(grown))
        self._tokens[place] = max(told, before)
        return self._tokens[place] - before
