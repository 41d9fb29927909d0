"""A scorer behind a vLLM server: the same checkpoint, without torch in this process.

The folder on this machine needs no weights, only the template and the tokenizer. Requests contain token ids and no
text, so the server reads a question and a path exactly as a scorer in this process does.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from egrm_graph.clients.server_errors import ServerFixes
from egrm_graph.clients.transport import ServerRequest, Transport, all_results, read_json, served_contexts
from egrm_graph.errors import ContextTooLong, ModelError, RunError
from egrm_graph.runtime.forking import call_in_children
from egrm_graph.scoring.checkpoint import check_config, read_manifest
from egrm_graph.scoring.layout import Layout
from egrm_graph.scoring.pooling import ROUTE, pooling_body, read_logits
from egrm_graph.scoring.scorer import Unscored, squash

REQUEST_TOKENS = 65536
"""The maximum of tokens per request. A longer path is a request of its own."""

_Row = list[int] | Unscored


class RemoteScorer:
    """A `Scorer` that gets the scores of the checkpoint in `folder` from vLLM servers that serve it under its name.

    The servers take turns. Each is checked on the first use. If a scorer was trained again after its server started,
    the server still has the old one, and this class cannot notice.
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
        """At most `max_requests` run at once; others wait.

        Raises:
            ModelError: the folder has no scorer, or its template or tokenizer cannot be read.
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
            fixes=ServerFixes(
                setting="scorer_url",
                no_answer=f"start one with {self._serve} or pass --scorer-url",
                other_model=f"start one that does with {self._serve}, or set scorer_url (--scorer-url) to one",
            ),
        )
        self._max_requests = max_requests
        self._context_tokens: int | None = None  # from the servers, once they have been checked
        self._start_over()
        call_in_children(self._start_over)

    def _start_over(self) -> None:
        """Creates what belongs to the event loop of one process."""
        self._turns = asyncio.Semaphore(self._max_requests)
        self._checking = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def calibrated(self) -> bool:
        """Whether its scores were calibrated on held-out data."""
        return self._calibrated

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        """A score in [0, 1] for each path, in order; `Unscored` for an empty, overlong, or failed one.

        Raises:
            ModelError: a server does not serve this scorer.
            RunError: no server answered.
        """
        read = await asyncio.to_thread(self._layout.rows, question, tuple(paths))
        if all(isinstance(row, Unscored) for row in read):
            return [row for row in read if isinstance(row, Unscored)]
        return await self._transport.run(self._score(read))

    async def check(self) -> None:
        """Raises the error that names the fix if a server does not answer, or does not serve this scorer."""
        await self._transport.run(self._checked_context())

    async def aclose(self) -> None:
        """Cancels what still runs, and closes the connections and the thread."""
        await self._transport.aclose()

    async def _score(self, read: Sequence[_Row]) -> list[float | Unscored]:
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
                logits = await self._transport.send(ServerRequest(ROUTE, pooling_body(self._name, rows)), read)
        except ContextTooLong as error:  # a server with a shorter context than those that were checked
            if len(rows) == 1:
                return [Unscored(str(error))]
            return [score for scores in await all_results([self._ask([row]) for row in rows]) for score in scores]
        return [squash(logit) for logit in logits]

    async def _checked_context(self) -> int:
        """The context in tokens that all servers and the layout support."""
        async with self._checking:
            if self._context_tokens is None:
                results = await asyncio.gather(*map(self._check, self._transport.base_urls), return_exceptions=True)
                self._context_tokens = self._smallest(results)
            return self._context_tokens

    def _smallest(self, results: Sequence[int | BaseException]) -> int:
        """The smallest context. Servers that are down are ignored if another one answers."""
        failed = [error for error in results if isinstance(error, BaseException)]
        contexts = [context for context in results if isinstance(context, int)]
        fatal = next((error for error in failed if not isinstance(error, RunError)), None)
        if fatal is not None or not contexts:
            raise fatal or failed[0]
        return min(contexts)

    async def _check(self, base_url: str) -> int:
        served = await self._transport.send(ServerRequest("/models"), served_contexts, base_url=base_url)
        if self._name not in served:
            raise self._transport.not_served(base_url, list(served))
        context, reads = served[self._name], self._layout.context_tokens
        if context is None:
            return reads
        if context > reads:
            raise ModelError(
                f"the {self._name!r} that {base_url} serves reads {context} tokens, but the scorer in {self._folder} "
                f"reads {reads}, so they are different models; serve this one with {self._serve}"
            )
        return context


def _fitting(row: _Row, context_tokens: int) -> _Row:
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
