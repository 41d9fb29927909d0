"""The scorer behind a vLLM server: the same checkpoint, run elsewhere, without torch in this process.

Its folder here needs no weights: the layout and the tokenizer are enough. Token ids go out, and no text, so that what
a question or a path spells is read there as it is in-process.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from egrm_graph.clients.transport import Request, Transport, all_results, read_json, served_contexts
from egrm_graph.clients.vllm_errors import Fixes
from egrm_graph.errors import ContextTooLong, ModelError, RunError
from egrm_graph.runtime.forking import call_in_children
from egrm_graph.scoring.checkpoint import check_config, read_manifest
from egrm_graph.scoring.layout import Layout
from egrm_graph.scoring.pooling import ROUTE, pooling_body, read_logits
from egrm_graph.scoring.scorer import Unscored, squash

REQUEST_TOKENS = 65536
"""Tokens in one request, at most, but at least one path."""

Row = list[int] | Unscored


class RemoteScorer:
    """A `Scorer` that asks vLLM servers, in turn, for the scores of the checkpoint in `folder`, served by its name.

    Each server is checked on the first use. A scorer that was trained anew since its server was started cannot be
    told from the old one.
    """

    def __init__(
        self,
        folder: str | Path,
        base_urls: Sequence[str],
        *,
        api_key: str | SecretStr | None = None,
        connect_timeout_s: float = 5.0,
        request_timeout_s: float = 300.0,
        attempts: int = 4,
        max_requests: int = 64,
    ) -> None:
        """At most `max_requests` are under way at once; others wait their turn.

        Raises:
            ModelError: there is no scorer in the folder, or its layout cannot be read.
            SettingsError: a URL cannot be used.
        """
        self._folder = Path(folder)
        check_config(self._folder)
        self._layout = Layout.load(self._folder)
        self._calibrated = read_manifest(self._folder).calibration is not None
        self._name = self._folder.resolve().name
        self._serve = f"`egrm serve-model {shlex.quote(str(folder))}`"
        self._transport = Transport(
            self._name,
            base_urls,
            api_key=api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key,
            connect_timeout_s=connect_timeout_s,
            request_timeout_s=request_timeout_s,
            attempts=attempts,
            fixes=Fixes(
                setting="scorer_url",
                absent=f"start one with {self._serve} or pass --scorer-url",
                other=f"start one that does with {self._serve}, or set scorer_url (--scorer-url) to one",
            ),
        )
        self._max_requests = max_requests
        self._context_tokens: int | None = None  # as the servers tell it, once they have been checked
        self._start_over()
        call_in_children(self._start_over)

    def _start_over(self) -> None:
        """Makes what belongs to one process's event loop."""
        self._turns = asyncio.Semaphore(self._max_requests)
        self._checking = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def calibrated(self) -> bool:
        """Whether a score was fitted to be a probability on held-out data."""
        return self._calibrated

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        """A score in [0, 1] for each path, in order; an empty, overlong or failed one is `Unscored`.

        Raises:
            ModelError: a server does not serve this scorer.
            RunError: no server could be brought to answer.
        """
        read = await asyncio.to_thread(self._layout.rows, question, tuple(paths))
        if all(isinstance(row, Unscored) for row in read):
            return [row for row in read if isinstance(row, Unscored)]
        return await self._transport.run(self._score(read))

    async def check(self) -> None:
        """Raises the error that names the fix where a server does not answer, or does not serve this scorer."""
        await self._transport.run(self._checked_context())

    async def aclose(self) -> None:
        """Ends what is under way, and lets go of connections and thread."""
        await self._transport.aclose()

    async def _score(self, read: Sequence[Row]) -> list[float | Unscored]:
        context = await self._checked_context()
        fitting = [_fitting(row, context) for row in read]
        rows = {i: row for i, row in enumerate(fitting) if not isinstance(row, Unscored)}
        batches = list(_batches(rows))
        answers = await all_results([self._ask([rows[i] for i in batch]) for batch in batches])
        scores = {
            i: score
            for batch, answer in zip(batches, answers, strict=True)
            for i, score in zip(batch, answer, strict=True)
        }
        return [row if isinstance(row, Unscored) else scores[i] for i, row in enumerate(fitting)]

    async def _ask(self, rows: Sequence[list[int]]) -> list[float | Unscored]:
        async def read(response: aiohttp.ClientResponse) -> list[float]:
            return read_logits(await read_json(response), len(rows))

        try:
            async with self._turns:
                logits = await self._transport.send(Request(ROUTE, pooling_body(self._name, rows)), read)
        except ContextTooLong as error:  # a server with a shorter context than any that could be asked for it
            if len(rows) == 1:
                return [Unscored(str(error))]
            return [score for scores in await all_results([self._ask([row]) for row in rows]) for score in scores]
        return [squash(logit) for logit in logits]

    async def _checked_context(self) -> int:
        """Tokens that every server reads, and the layout as well."""
        async with self._checking:
            if self._context_tokens is None:
                told = await asyncio.gather(*map(self._check, self._transport.base_urls), return_exceptions=True)
                self._context_tokens = self._least(told)
            return self._context_tokens

    def _least(self, told: Sequence[int | BaseException]) -> int:
        """A server that is down takes no part as long as another one is there."""
        failed = [error for error in told if isinstance(error, BaseException)]
        contexts = [context for context in told if isinstance(context, int)]
        fatal = next((error for error in failed if not isinstance(error, RunError)), None)
        if fatal is not None or not contexts:
            raise fatal or failed[0]
        return min(contexts)

    async def _check(self, base_url: str) -> int:
        served = await self._transport.send(Request("/models"), served_contexts, base_url=base_url)
        if self._name not in served:
            raise self._transport.not_served(base_url, list(served))
        context, reads = served[self._name], self._layout.context_tokens
        if context is None:
            return reads
        if context > reads:
            raise ModelError(
                f"the {self._name!r} that {base_url} serves reads {context} tokens, and the scorer in {self._folder} "
                f"{reads}: they are not the same; serve this one with {self._serve}"
            )
        return context


def _fitting(row: Row, context_tokens: int) -> Row:
    if isinstance(row, list) and len(row) > context_tokens:
        return Unscored(
            f"question and path are {len(row)} tokens, and the scorer's server reads at most {context_tokens}"
        )
    return row


def _batches(rows: Mapping[int, list[int]]) -> Iterator[list[int]]:
    """The keys of `rows` in order, in batches of at most `REQUEST_TOKENS` tokens."""
    batch: list[int] = []
    tokens = 0
    for i, row in rows.items():
        if batch and tokens + len(row) > REQUEST_TOKENS:
            yield batch
            batch, tokens = [], 0
        batch.append(i)
        tokens += len(row)
    if batch:
        yield batch
