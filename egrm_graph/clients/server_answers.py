"""Reads the answers of vLLM and other servers with an OpenAI-style API.

A choice that cannot be read loses only its own sample, whose error says what is wrong. Nothing is made up: numbers that
a server leaves out are None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeGuard

from egrm_graph.clients.client import Completion, Sampling
from egrm_graph.clients.finish import UNSAID, read_finish
from egrm_graph.clients.server_errors import server_message
from egrm_graph.clients.server_requests import Endpoint
from egrm_graph.errors import ServerError, Unsupported
from egrm_graph.verification import Usage

MOST_TOKENS = 2**53
"""A larger number is not a token count."""
_TEXT = ("text", "output_text", "input_text")
_THOUGHT = ("thinking", "reasoning")
_Top = dict[str, float]
_Logprobs = tuple[tuple[str, ...] | None, tuple[float, ...] | None, tuple[_Top, ...] | None]


class Unreadable(Exception):
    """One choice cannot be read; its message is the sample's error."""


def read_completions(
    body: Mapping[str, Any], sampling: Sampling, n: int, *, started: bool = False
) -> dict[int, Completion]:
    """The completions in an answer, by their place among the `n` requested ones. Some servers give fewer.

    `started` says whether the prompt started the turn. A server's reasoning parser may take the rest of such a turn for
    a thought that is still open. Then the thought is the text.

    Raises:
        ServerError: the answer has no choices.
    """
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise ServerError(f"the server answered without choices: {server_message(body)}")
    placed = {0: choices[0]} if n == len(choices) == 1 else _placed(choices, n)
    alone = count(_object(body.get("usage")).get("completion_tokens")) if n == 1 else None
    read = {place: _completion(choice, sampling.logprobs, alone) for place, choice in placed.items()}
    return {place: _unparsed(each) for place, each in read.items()} if started else read


def read_usage(body: Mapping[str, Any]) -> Usage:
    """The token counts in an answer, with 0 for those that it leaves out."""
    usage = _object(body.get("usage"))
    tokens = count(usage.get("completion_tokens"))
    tokens = count(body.get("counted_tokens")) if tokens is None else tokens  # of a stream
    ids = [_token_ids(_object(choice).get("token_ids")) for choice in _list(body.get("choices"))]
    return Usage(
        requests=1,
        prompt_tokens=count(usage.get("prompt_tokens")) or 0,
        cached_tokens=count(_object(usage.get("prompt_tokens_details")).get("cached_tokens")) or 0,
        completion_tokens=sum(len(found or ()) for found in ids) if tokens is None else tokens,
        cancelled_tokens=0,
    )


def read_label_logprobs(endpoint: Endpoint, body: Mapping[str, Any]) -> dict[int, float]:
    """The log-probability of each token id in the answer to a `label_body`.

    Raises:
        Unsupported: the server gives no log-probabilities.
        ServerError: they cannot be read.
    """
    choices = _list(body.get("choices"))
    logprobs = _object(_object(choices[0]).get("logprobs")) if choices else {}
    if not logprobs:
        raise Unsupported("the server gave no log-probabilities of the labels; label_logprobs needs vLLM 0.32")
    try:
        if endpoint == "chat":
            pairs = [(item["token"], item["logprob"]) for item in logprobs["content"][0]["top_logprobs"]]
        else:
            pairs = list(logprobs["top_logprobs"][0].items())
        return {int(token.removeprefix("token_id:")): float(value) for token, value in pairs}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ServerError(f"the server's log-probabilities of the labels cannot be read: {error!r}") from error


def read_content(content: Any) -> tuple[str, str]:
    """The text of a message's content, and the thoughts among its parts.

    Raises:
        Unreadable: it has a part of another kind.
    """
    if content is None or isinstance(content, str):
        return content or "", ""
    text, thoughts = "", ""
    for part in content if isinstance(content, list) else [content]:
        kind = part.get("type", "text") if isinstance(part, Mapping) else "text"
        said = part if isinstance(part, str) else _part_text(part, kind)
        if kind in _THOUGHT:
            thoughts += said
        else:
            text += said
    return text, thoughts


def place_of(choice: Any, position: int) -> int:
    """The index of a choice, or else its position."""
    index = choice.get("index") if isinstance(choice, Mapping) else None
    if isinstance(index, str) and re.fullmatch("[0-9]{1,9}", index):
        index = int(index)
    place = count(index)
    return position if place is None else place


def count(value: Any) -> int | None:
    """The value as a token count; None if it cannot be one."""
    return int(value) if is_number(value) and 0 <= value < MOST_TOKENS else None


def _placed(choices: list[Any], n: int) -> dict[int, Any]:
    """The first choice of each index below `n`."""
    placed: dict[int, Any] = {}
    for position, choice in enumerate(choices):
        place = place_of(choice, position)
        if place < n:
            placed.setdefault(place, choice)
    return placed


def _completion(choice: Any, top_logprobs: int, completion_tokens: int | None) -> Completion:
    try:
        text, thoughts = _said(choice)
    except Unreadable as error:
        return Completion("", "abort", completion_tokens, error=str(error))
    message = _object(choice.get("message"))
    finish = read_finish(choice, message) or UNSAID
    apart = next((part for key in ("reasoning", "reasoning_content") if isinstance(part := message.get(key), str)), "")
    token_ids = _token_ids(choice.get("token_ids"))
    tokens, chosen, top = _logprobs(choice.get("logprobs") if top_logprobs else None, top_logprobs)
    return Completion(
        text=joined_surrogates(text),
        finish_reason=finish.reason,
        n_tokens=completion_tokens if token_ids is None else len(token_ids),
        thinking=joined_surrogates(apart or thoughts) or None,
        token_ids=token_ids,
        tokens=tokens,
        logprobs=chosen,
        top_logprobs=top,
        error=finish.error,
    )


def _unparsed(completion: Completion) -> Completion:
    if completion.text or completion.thinking is None:
        return completion
    return replace(completion, text=completion.thinking, thinking=None)


def _said(choice: Any) -> tuple[str, str]:
    if not isinstance(choice, Mapping):
        raise Unreadable(f"the server's choice is {type(choice).__name__}, not an object")
    if choice.get("unreadable"):  # found while it was put together from chunks
        raise Unreadable(choice["unreadable"])
    if isinstance(message := choice.get("message"), Mapping):
        return read_content(message.get("content"))
    if message is None and isinstance(choice.get("text"), str):
        return choice["text"], ""
    finish = read_finish(choice)
    raise Unreadable((finish and finish.error) or "the server's choice has neither a message nor a text")


def _part_text(part: Any, kind: Any) -> str:
    if isinstance(part, Mapping) and kind in (*_TEXT, *_THOUGHT):
        said = next((part[key] for key in ("text", kind) if part.get(key) is not None), "")
        if isinstance(said, str):
            return said
        if kind in _THOUGHT and isinstance(said, list):
            return read_content(said)[0]
    finish = read_finish(part) if isinstance(part, Mapping) and kind == "refusal" else None
    raise Unreadable((finish and finish.error) or f"the content has the part {str(part)[:80]!r}, which is not text")


def joined_surrogates(text: str) -> str:
    """The text with surrogate pairs joined, which a server may send in two chunks. Half a pair becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _token_ids(value: Any) -> tuple[int, ...] | None:
    return tuple(value) if isinstance(value, list) and all(type(item) is int for item in value) else None


def _logprobs(value: Any, most: int) -> _Logprobs:
    """Tokens, their log-probabilities, and the likeliest at each position; None for what is incomplete."""
    logprobs = _object(value)
    if "content" in logprobs:
        items = logprobs["content"]
        rows = items if isinstance(items, list) and all(isinstance(item, Mapping) for item in items) else []
        tokens = [row.get("token") for row in rows]
        chosen = [row.get("logprob") for row in rows]
        tops = [_most_likely(_pairs(row.get("top_logprobs")), row, most) for row in rows]
    else:
        tokens, chosen = _list(logprobs.get("tokens")), _list(logprobs.get("token_logprobs"))
        tops = [_pairs(top) for top in _list(logprobs.get("top_logprobs"))]
    numbers = tuple(float(value) for value in chosen if is_number(value))
    if not chosen or not len(tokens) == len(chosen) == len(numbers):
        return None, None, None
    top = tuple(_likeliest(pairs, most) for pairs in tops if pairs)
    return tuple(map(str, tokens)), numbers, top if len(top) == len(chosen) else None


def _pairs(top: Any) -> list[tuple[str, float]]:
    """Tokens with their log-probabilities; empty if any of them cannot be read."""
    if isinstance(top, Mapping):
        pairs = list(top.items())
    else:
        pairs = [(item.get("token"), item.get("logprob")) for item in _list(top) if isinstance(item, Mapping)]
    read = [(str(token), float(value)) for token, value in pairs if is_number(value)]
    return read if len(read) == len(pairs) else []


def _most_likely(pairs: list[tuple[str, float]], sampled: Mapping[str, Any], most: int) -> list[tuple[str, float]]:
    """The pairs without a sampled token that is the least likely of them. vLLM's chat route lists the sampled token in
    place of the last of the most likely ones."""
    if not 1 < len(pairs) <= most:
        return pairs
    token, value = min(pairs, key=lambda pair: pair[1])
    rest = [pair for pair in pairs if pair != (token, value)]
    return rest if rest and (token, value) == (sampled.get("token"), sampled.get("logprob")) else pairs


def _likeliest(pairs: Iterable[tuple[str, float]], most: int) -> _Top:
    top: _Top = {}
    for token, value in sorted(pairs, key=lambda pair: -pair[1])[:most]:
        # Tokens with the same text, such as parts of a character, share one entry.
        top[token] = top[token] + math.log1p(math.exp(min(0.0, value - top[token]))) if token in top else value
    return top


def is_number(value: Any) -> TypeGuard[float]:
    """Whether the value is a number that a float can hold, including NaN and infinities."""
    return isinstance(value, float) or (type(value) is int and abs(value) < MOST_TOKENS)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
