"""Prompts and completions as token ids, on vLLM: what `Sampling.begins_with` needs.

The server continues token ids on `/completions`, so nothing that the model wrote is tokenized twice. It names the
likeliest tokens by id there, because two tokens may have the same text, and leaves out their texts. Those come from
`/detokenize`, each once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from egrm_graph.clients.client import Completion, Sampling, started_turn
from egrm_graph.clients.server_answers import joined_surrogates
from egrm_graph.clients.transport import all_results
from egrm_graph.errors import ServerError, Unsupported
from egrm_graph.verification import Message, Token

NAMED = 5
"""The text of this many of the likeliest tokens at each position is looked up."""
SEPARATOR = "\u241e"
"""The symbol for a record separator, between texts that are looked up at once."""

_Send = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Sends a body to a route, and gives the answer."""


def prompt_body(model: str, prompt: Sequence[Message], switch: Mapping[str, Any]) -> dict[str, Any]:
    """The request to `/tokenize` for the ids of a chat. `switch` has the template's arguments, if it takes any."""
    started = bool(started_turn(prompt))
    return {
        "model": model,
        "messages": list(prompt),
        "add_generation_prompt": not started,
        "continue_final_message": started,
        **switch,
    }


def read_ids(answer: Mapping[str, Any]) -> tuple[int, ...]:
    """The ids in an answer of `/tokenize`.

    Raises:
        Unsupported: it has none.
    """
    ids = answer.get("tokens")
    if not isinstance(ids, list) or not ids or not all(type(token) is int for token in ids):
        raise Unsupported(f"the server tokenizes the prompt as {str(ids)[:80]}; a tree of paths needs vLLM 0.32")
    return tuple(ids)


class TokenTexts:
    """The texts of a model's tokens, as they are inside a text. Those that are part of a character have U+FFFD."""

    def __init__(self, model: str, send: _Send) -> None:
        self._model = model
        self._send = send
        self._known: dict[int, str] = {}
        self._separator: tuple[int, ...] | None = None

    async def of(self, ids: Iterable[int]) -> Mapping[int, str]:
        """The texts of at least these tokens, from one request for all that are new."""
        new = list(dict.fromkeys(token for token in ids if token not in self._known))
        if new:
            self._known.update(zip(new, await self._each(new), strict=True))
        return self._known

    async def _each(self, ids: Sequence[int]) -> list[str]:
        if self._separator is None:
            self._separator = await self._read_separator()
        if not self._separator:
            return await all_results([self.decoded([token]) for token in ids])
        joined = [*self._separator, *(part for token in ids for part in (token, *self._separator))]
        parts = (await self.decoded(joined)).split(SEPARATOR)[1:-1]
        if len(parts) != len(ids):
            raise ServerError(f"the server detokenized {len(ids)} tokens as {len(parts)} texts")
        return parts

    async def _read_separator(self) -> tuple[int, ...]:
        """The tokens of the separator; empty if the model's vocabulary cannot write it."""
        body = {"model": self._model, "prompt": SEPARATOR, "add_special_tokens": False}
        ids = (await self._send("/tokenize", body)).get("tokens")
        if not isinstance(ids, list) or not ids:
            return ()
        separator = read_ids({"tokens": ids})
        return separator if (await self.decoded(separator)).strip() == SEPARATOR else ()

    async def decoded(self, ids: Sequence[int]) -> str:
        """The text of a sequence of tokens.

        Raises:
            Unsupported: the server does not give it.
        """
        text = (await self._send("/detokenize", {"model": self._model, "tokens": list(ids)})).get("prompt")
        if not isinstance(text, str):
            raise Unsupported(f"the server detokenizes ids as {str(text)[:80]!r}; a tree of paths needs vLLM 0.32")
        return joined_surrogates(text)


async def with_texts(completion: Completion, sampling: Sampling, texts: TokenTexts) -> Completion:
    """The completion with the text that it begins with, and with texts and ids of its likeliest tokens.

    Raises:
        Unsupported: the server gave no token ids, or no log-probabilities.
    """
    if completion.finish_reason == "abort":
        return completion
    ids, tops = completion.token_ids, completion.top_logprobs
    if ids is None or tops is None or len(ids) != len(tops):
        lacking = "token ids" if ids is None else "log-probabilities"
        raise Unsupported(f"the server gave no {lacking} of the tokens; a tree of paths needs vLLM 0.32")
    if sampling.logprobs > 1 and max(map(len, tops), default=2) < 2:
        raise Unsupported(
            "the server lists only the likeliest token at each position, so a tree of paths has nothing to branch to; "
            "start vLLM with `--max-logprobs 20`, or set strategy to 'plain'"
        )
    ranked = [sorted(top.items(), key=lambda pair: -pair[1])[: sampling.logprobs] for top in tops]
    places = [[(_id_of(name), logprob) for name, logprob in place] for place in ranked]
    named = await texts.of([*ids, *(token for place in places for token, _ in place[:NAMED])])
    before = await texts.decoded(sampling.begins_with) if sampling.begins_with else ""
    likeliest = tuple(
        [Token(id=token, text=named.get(token, ""), logprob=logprob) for token, logprob in place] for place in places
    )
    return replace(
        completion,
        text=before + completion.text,
        before=len(before),
        tokens=tuple(named[token] for token in ids),
        likeliest=likeliest,
        top_logprobs=tuple({each["text"]: each["logprob"] for each in place if each["text"]} for place in likeliest),
    )


def _id_of(name: str) -> int:
    try:
        return int(name.removeprefix("token_id:"))
    except ValueError as error:
        raise Unsupported(
            f"the server names the token {name!r} by its text, not its id; a tree of paths needs vLLM 0.32"
        ) from error
