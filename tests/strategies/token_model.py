"""A language model given by a table, for trees that can be worked by hand."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, Sequence

from egrm_graph.clients.client import OPTIONS, Completion, Completions, LabelLogprobs, Meter, Sampling
from egrm_graph.errors import Unsupported
from egrm_graph.verification import Message, Token, Usage

END = "$"
Table = Mapping[str, Mapping[str, float]] | Callable[[str], Mapping[str, float]]


class TokenModel:
    """Continues texts of one-letter tokens, whose ids are their code points. `table` has, for each text so far, the
    probabilities of the next letter; `$` ends the text. A text that is not in the table ends.

    `fails` has the texts whose continuation fails. With `listed`, only so many likeliest tokens are known.
    """

    name = "table"
    gives_logprobs = True
    continues_tokens = True
    sampling_options: Collection[str] = OPTIONS

    def __init__(
        self, table: Table, *, fast: Sequence[str] = ("1", "2"), fails: Collection[str] = (), listed: int = 100
    ) -> None:
        self._table = table
        self._fast = fast
        self._fails = fails
        self._listed = listed
        self.begun: list[str | None] = []
        """What each call began with; None for a fast answer."""
        self.rounds: list[int] = []
        """How many calls ran at once."""
        self.stalls: asyncio.Event | None = None
        """If set, branches wait for it."""

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        if sampling.begins_with is None:
            self.begun.append(None)
            completions = tuple(Completion(self._fast[i % len(self._fast)], "stop", 1) for i, _ in enumerate(seeds))
            return Completions(completions, _usage(len(seeds)))
        begins_with = "".join(map(chr, sampling.begins_with))
        self.begun.append(begins_with)
        if begins_with and self.stalls is not None:
            await self.stalls.wait()
        if begins_with in self._fails:
            raise Unsupported(f"no text begins with {begins_with!r}")
        completion = self._continued(begins_with, sampling)
        if meter is not None:
            meter.add(completion.n_tokens or 0)
        return Completions((completion,), _usage(completion.n_tokens or 0))

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        raise Unsupported("there are no labels")

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...

    def _next(self, text: str) -> Mapping[str, float]:
        if callable(self._table):
            return self._table(text)
        return self._table.get(text, {END: 1.0})

    def _continued(self, text: str, sampling: Sampling) -> Completion:
        before, tokens, places = len(text), list[str](), list[list[Token]]()
        while len(tokens) < sampling.max_tokens:
            ranked = sorted(self._next(text).items(), key=lambda pair: -pair[1])[: self._listed]
            places.append(
                [
                    Token(id=ord(letter), text="" if letter == END else letter, logprob=math.log(share))
                    for letter, share in ranked[: sampling.logprobs]
                ]
            )
            letter = ranked[0][0]
            tokens.append(letter)
            if letter == END:
                break
            text += letter
        return Completion(
            text=text,
            finish_reason="stop" if tokens[-1] == END else "length",
            n_tokens=len(tokens),
            token_ids=tuple(map(ord, tokens)),
            tokens=tuple("" if letter == END else letter for letter in tokens),
            likeliest=tuple(places),
            before=before,
        )


def _usage(n_tokens: int) -> Usage:
    return Usage(requests=1, prompt_tokens=1, cached_tokens=0, completion_tokens=n_tokens, cancelled_tokens=0)
