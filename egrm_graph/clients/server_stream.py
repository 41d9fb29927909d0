"""Streamed answers: counts their tokens as chunks arrive, and assembles the answer that no stream would give."""

from __future__ import annotations

from typing import Any

import aiohttp

from egrm_graph.clients.client import Meter
from egrm_graph.clients.events import EventReader
from egrm_graph.clients.server_answers import Unreadable, count, place_of, read_content
from egrm_graph.clients.server_errors import RetryableError, error_in
from egrm_graph.clients.transport import read_json
from egrm_graph.verification import Usage


class TokenTally:
    """Counts one request's tokens on its caller's meter, over all tries."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._counted = 0

    def add(self, n_tokens: int) -> None:
        if n_tokens > 0:
            self._counted += n_tokens
            self._meter.add(n_tokens)

    def settle(self, usage: Usage) -> Usage:
        """The final usage, including the tokens of tries that broke off. The meter then has the same sum."""
        self.add(usage["completion_tokens"] - self._counted)
        lost = self._counted - usage["completion_tokens"]
        return Usage(**{**usage, "completion_tokens": self._counted, "cancelled_tokens": lost})


async def read_answer(tally: TokenTally | None, response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The answer, whether or not the server streams it: some ignore the request's choice."""
    kind = response.content_type
    if kind == "text/event-stream" or (tally is not None and kind != "application/json"):
        return await read_stream(response, tally or TokenTally(Meter()))
    return await read_json(response)


async def read_stream(response: aiohttp.ClientResponse, tally: TokenTally) -> dict[str, Any]:
    """The answer that the same request would get without streaming.

    Raises:
        EgrmError: the stream broke off, or holds an error.
    """
    answer = StreamedAnswer(str(response.url), tally)
    # Not by aiohttp's lines, whose length is limited: the first chunk holds the token ids of the full prompt.
    while not answer.done and (part := await response.content.readany()):
        answer.feed(part)
    return answer.assembled()


class StreamedAnswer:
    """Assembles an answer from its chunks."""

    def __init__(self, url: str, tally: TokenTally) -> None:
        self._url = url
        self._tally = tally
        self._events = EventReader()
        self._choices: dict[int, dict[str, Any]] = {}
        self._tokens: dict[int, int] = {}
        self._usage: dict[str, Any] = {}
        self._usage_is_total = False
        self._fingerprint: str | None = None

    @property
    def done(self) -> bool:
        """Whether the server marked the end of the stream."""
        return self._events.done

    def feed(self, part: bytes) -> None:
        """Adds the next bytes.

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
        if usage and not (parts and self._usage_is_total):
            self._usage, self._usage_is_total = usage, not parts

    def assembled(self) -> dict[str, Any]:
        """The answer that all chunks make.

        Raises:
            EgrmError: the answer is not complete, or ends in an error.
        """
        for chunk in self._events.end():
            self._add(chunk)
        # If every choice that began has ended, the stream needs no `[DONE]`.
        ended = self._choices and all(choice["finish_reason"] for choice in self._choices.values())
        if not (self.done or ended):
            raise RetryableError(f"{self._url} broke off before its answer was complete")
        usage = dict(self._usage)
        if len(self._choices) > 1 and not self._usage_is_total:
            usage.pop("completion_tokens", None)  # they count one choice only
        return {
            "choices": list(self._choices.values()),
            "usage": usage,
            "counted_tokens": sum(self._tokens.values()),
            "system_fingerprint": self._fingerprint,
        }

    def _add_choice(self, place: int, part: dict[str, Any]) -> bool:
        """Adds a part to its choice. Returns whether it has text."""
        choice = self._choices.setdefault(place, {"index": place, "finish_reason": None})
        ended = choice["finish_reason"]
        for key in ("finish_reason", "error"):
            choice[key] = part.get(key) or choice.get(key)
        if isinstance(part.get("token_ids"), list):
            choice.setdefault("token_ids", []).extend(part["token_ids"])
        grown = self._add_text(choice, part)
        self._add_logprobs(choice, part.get("logprobs"), needed=grown)
        if grown and ended:
            choice["unreadable"] = "the server sent more text after this choice ended, so it may mix several"
        return grown

    @staticmethod
    def _add_logprobs(choice: dict[str, Any], logprobs: Any, *, needed: bool) -> None:
        """Adds log-probabilities. Once a text comes without them, the choice has none: a part of them is useless."""
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
        """The number of new tokens in this part.

        It comes from the usage next to it, which counts its own choice only, or else from its token ids. Without
        either, any text counts as one.
        """
        before, total = self._tokens.get(place, 0), count(usage.get("completion_tokens"))
        if total is None:
            ids = part.get("token_ids")
            total = before + (len(ids) if isinstance(ids, list) else int(grown))
        self._tokens[place] = max(total, before)
        return self._tokens[place] - before
