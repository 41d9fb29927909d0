"""A scorer behind a vLLM server: the same checkpoint, without torch in this process.

The folder on this machine needs no weights, only the template and the tokenizer. Requests contain token ids and no
text, so the server reads a question and a path exactly as a scorer in this process does.

A server gives either one logit for each text, or one for each token. The scores of a decoder's steps need the latter.
Its logit at the last token is that of the full text, so such a server gives both. An encoder reads a text for each
step, so it needs the former.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from egrm_graph.clients.server_errors import ServerFixes
from egrm_graph.clients.transport import ServerRequest, Transport, all_results, read_json, served_contexts
from egrm_graph.errors import ContextTooLong, ModelError, RunError, SetupError
from egrm_graph.runtime.forking import call_in_children
from egrm_graph.scoring.checkpoint import check_config, read_manifest
from egrm_graph.scoring.layout import Layout
from egrm_graph.scoring.pooling import ROUTE, PoolingTask, does_other_task, pooling_body, read_logits
from egrm_graph.scoring.score_row import RowScores, ScoreRow, ScoreText, only_scores
from egrm_graph.scoring.scorer import Unscored, squash_all
from egrm_graph.scoring.step_profile import StepProfile, is_calibrated, path_scores, profile_of, require_steps
from egrm_graph.scoring.step_texts import scores_by_path
from egrm_graph.steps.cutting import step_cutter

REQUEST_TOKENS = 65536
"""The maximum of tokens per request. A longer path is a request of its own."""


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
        config = check_config(self._folder)
        self._layout = Layout.load(self._folder)
        manifest = read_manifest(self._folder)
        self._profile = profile_of(manifest, config, self._layout)
        self._calibrated = is_calibrated(manifest, self._profile)
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
        self._task: PoolingTask = "classify"  # for full texts, until a server refuses it
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

    @property
    def step_profile(self) -> StepProfile:
        """What its checkpoint says about the scores of steps."""
        return self._profile

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        """A score in [0, 1] for each path, in order; `Unscored` for an empty, overlong, or failed one.

        If the scorer was trained on steps, it is the aggregate of their scores.

        Raises:
            ModelError: a server does not serve this scorer, or does not score steps.
            RunError: no server answered.
        """
        if self._profile.steps is not None:
            ends = [step_cutter(self._profile.steps)(path) for path in paths]
            return path_scores(await self.score_steps(question, paths, ends), self._profile)
        return only_scores(await self._scored(question, [ScoreText(path) for path in paths]))

    async def score_steps(
        self, question: str, paths: Sequence[str], ends: Sequence[Sequence[int]]
    ) -> list[list[float] | Unscored]:
        """For each path, in order, a score in [0, 1] for each step: that of the path up to its end.

        `Unscored` for a path that cannot be scored, or with a step that cannot.

        Raises:
            ModelError: the scorer cannot score steps, or a server does not serve it, or not so that it scores steps.
            RunError: no server answered.
        """
        require_steps(self._name, self._profile)
        return await scores_by_path(self._profile.texts(paths, ends), partial(self._scored, question))

    async def check(self) -> None:
        """Raises the error that names the fix if a server does not answer, or does not serve this scorer."""
        await self._transport.run(self._checked_context())

    async def aclose(self) -> None:
        """Cancels what still runs, and closes the connections and the thread."""
        await self._transport.aclose()

    async def _scored(self, question: str, texts: Sequence[ScoreText]) -> list[RowScores]:
        read = await asyncio.to_thread(self._layout.text_rows, question, texts)
        if all(isinstance(row, Unscored) for row in read):
            return [row for row in read if isinstance(row, Unscored)]
        return await self._transport.run(self._score(read))

    async def _score(self, read: Sequence[ScoreRow | Unscored]) -> list[RowScores]:
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

    async def _ask(self, rows: Sequence[ScoreRow]) -> list[RowScores]:
        try:
            logits = await self._logits(rows)
        except ContextTooLong as error:  # a server with a shorter context than those that were checked
            if len(rows) == 1:
                return [Unscored(str(error))]
            return [scores for scored in await all_results([self._ask([row]) for row in rows]) for scores in scored]
        return [squash_all(each) for each in logits]

    async def _logits(self, rows: Sequence[ScoreRow]) -> list[list[float]]:
        """The logits of each row. All rows of one call want the same: logits of steps, or of full texts."""
        of_steps = bool(rows[0].places)
        task: PoolingTask = "token_classify" if of_steps else self._task
        try:
            return await self._send(rows, task)
        except SetupError as error:
            if not does_other_task(error):
                raise
            if of_steps or self._profile.one_text_each or task == "token_classify":
                raise self._other_task(error, of_steps=of_steps) from error
        self._task = "token_classify"
        return await self._send(rows, self._task)

    def _other_task(self, error: SetupError, *, of_steps: bool) -> ModelError:
        option = " --steps" if of_steps and self._profile.steps is None else ""
        return ModelError(
            f"{self._name!r} is not served so that it scores {'steps' if of_steps else 'full paths'}; serve it with "
            f"{self._serve.removesuffix('`')}{option}` ({error})"
        )

    async def _send(self, rows: Sequence[ScoreRow], task: PoolingTask) -> list[list[float]]:
        lengths = [len(row.ids) if task == "token_classify" else 1 for row in rows]

        async def read(response: aiohttp.ClientResponse) -> list[list[float]]:
            return read_logits(await read_json(response), lengths)

        request = ServerRequest(ROUTE, pooling_body(self._name, [row.ids for row in rows], task))
        async with self._turns:
            logits = await self._transport.send(request, read)
        return [[each[place] for place in row.places or (-1,)] for row, each in zip(rows, logits, strict=True)]

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


def _fitting(row: ScoreRow | Unscored, context_tokens: int) -> ScoreRow | Unscored:
    if not isinstance(row, Unscored) and len(row.ids) > context_tokens:
        return Unscored(
            f"question and path are {len(row.ids)} tokens, and the scorer's server reads at most {context_tokens}"
        )
    return row


def _batches(rows: Mapping[int, ScoreRow]) -> Iterator[list[int]]:
    """The keys of `rows` in order, in batches of at most `REQUEST_TOKENS` tokens."""
    batch: list[int] = []
    tokens = 0
    for i, row in rows.items():
        if batch and tokens + len(row.ids) > REQUEST_TOKENS:
            yield batch
            batch, tokens = [], 0
        batch.append(i)
        tokens += len(row.ids)
    if batch:
        yield batch
