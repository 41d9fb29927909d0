"""A language model behind one or several vLLM servers, over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from pydantic import SecretStr

from egrm_graph.clients.client import (
    OPTIONS,
    Completion,
    Completions,
    LabelLogprobs,
    Meter,
    Sampling,
    add_usage,
    no_usage,
)
from egrm_graph.clients.observing import observed
from egrm_graph.clients.transport import Request, Transport, all_results, read_json, served_models
from egrm_graph.clients.vllm_answers import read_completions, read_label_logprobs, read_usage
from egrm_graph.clients.vllm_errors import LogprobsRefused, SeveralRefused, SwitchRefused
from egrm_graph.clients.vllm_protocol import Endpoint, label_body, route, sample_body
from egrm_graph.clients.vllm_stream import STREAMED, Tally, read_answer
from egrm_graph.errors import ContextTooLong, RunError, ServerError, Unsupported
from egrm_graph.verification import Message, Usage

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Ask:
    """One `sample` call."""

    prompt: Sequence[Message]
    sampling: Sampling
    request_id: str
    meter: Meter | None


class VllmClient:
    """Samples from the model that vLLM serves as `model`.

    Seeds that follow one another go out as one request, which shares its prefill but can only be cancelled whole;
    to cancel samples one by one, draw them by calls of their own. Close it with `aclose`.
    """

    engine = "vllm"

    def __init__(
        self,
        model: str,
        base_urls: Sequence[str] = ("http://localhost:8000/v1",),
        *,
        api_key: str | SecretStr | None = None,
        endpoint: Endpoint = "chat",
        connect_timeout_s: float = 5.0,
        request_timeout_s: float = 300.0,
        attempts: int = 4,
    ) -> None:
        self._model = model
        self._endpoint: Endpoint = endpoint
        self._transport = Transport(
            model,
            base_urls,
            api_key=api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key,
            connect_timeout_s=connect_timeout_s,
            request_timeout_s=request_timeout_s,
            attempts=attempts,
        )
        self._switch = True
        self._several = True  # until the server gives fewer completions than it was asked for
        self._label_ids: dict[str, int] = {}
        self._context: int | None = None  # as the server tells it, once it has refused

    @property
    def name(self) -> str:
        return self._model

    @property
    def gives_logprobs(self) -> bool:
        return True

    @property
    def continues_prompt(self) -> bool:
        return self._endpoint == "completions"

    @property
    def sampling_options(self) -> Collection[str]:
        return OPTIONS

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        """One completion for each seed; streamed where a `meter` counts along."""
        return await self._transport.run(self._sample(_Ask(prompt, sampling, request_id, meter), seeds))

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        """The log-probability of each label as the next token, thinking switched off, from one request.

        Raises:
            Unsupported: a label is not a single token of this model, or the server cannot be asked for labels.
        """
        return await self._transport.run(self._label_logprobs(prompt, labels, request_id))

    async def check(self) -> None:
        """Raises the error that names the fix where a server does not answer, or does not serve the model."""
        await self._transport.run(self._check())

    async def aclose(self) -> None:
        """Ends what is under way, and lets go of connections and thread."""
        await self._transport.aclose()

    async def _sample(self, ask: _Ask, seeds: Sequence[int]) -> Completions:
        # Greedy decoding is refused for more than one completion a request.
        several = self._several and ask.sampling.temperature > 0
        runs = list(_runs(seeds)) if several else [[seed] for seed in seeds]
        if len(runs) == 1:
            return await self._draw(ask, runs[0], ask.request_id)
        parts = await self._all_drawn(ask, {f"{ask.request_id}.{i}": run for i, run in enumerate(runs)})
        completions: tuple[Completion, ...] = sum((part.completions for part in parts), ())
        return Completions(completions, add_usage(*(part.usage for part in parts)))

    async def _all_drawn(
        self, ask: _Ask, runs: Mapping[str, Sequence[int]], *, raises: bool = True
    ) -> list[Completions]:
        """What each run of seeds gives, by its request id; one that fails among others that do not has its reason as
        its samples' error."""

        async def one(request_id: str, run: Sequence[int]) -> Completions | RunError:
            try:
                return await self._draw(ask, run, request_id)
            except RunError as error:
                return error

        parts = await all_results([one(request_id, run) for request_id, run in runs.items()])
        failed = [part for part in parts if isinstance(part, RunError)]
        if raises and len(failed) == len(parts):
            raise failed[0]
        return [
            _lost(part, len(run)) if isinstance(part, RunError) else part
            for part, run in zip(parts, runs.values(), strict=True)
        ]

    async def _draw(self, ask: _Ask, seeds: Sequence[int], request_id: str) -> Completions:
        """One request for a run of seeds. A server that gives fewer completions is asked for the others one by one."""
        try:
            drawn, usage = await self._request(ask, seeds, request_id)
        except SeveralRefused:
            if len(seeds) == 1:
                raise
            drawn, usage = {}, no_usage()
        missing = [place for place in range(len(seeds)) if place not in drawn]
        if not missing:
            return Completions(tuple(drawn[place] for place in range(len(seeds))), usage)
        if len(seeds) == 1:
            raise ServerError("the server answered with other choices than the one that was asked for")
        self._several = False
        singles = {f"{request_id}.{place}": [seeds[place]] for place in missing}
        parts = await self._all_drawn(ask, singles, raises=not drawn)
        drawn |= {place: part.completions[0] for place, part in zip(missing, parts, strict=True)}
        return Completions(
            tuple(drawn[place] for place in range(len(seeds))), add_usage(usage, *(part.usage for part in parts))
        )

    async def _request(self, ask: _Ask, seeds: Sequence[int], request_id: str) -> tuple[dict[int, Completion], Usage]:
        """What one request brought, by place among the seeds."""
        tally = None if ask.meter is None else Tally(ask.meter)

        async def read(response: aiohttp.ClientResponse) -> dict[str, Any]:
            return await read_answer(response, tally)

        async def send(whole: bool) -> dict[str, Any]:
            body = sample_body(
                self._endpoint, self._model, ask.prompt, ask.sampling, seeds, switch=self._switch, whole=whole
            )
            body |= {} if tally is None else STREAMED
            told = await self._transport.send(Request(route(self._endpoint), body, request_id), read)
            if (observation := observed.get()) is not None:
                version = told.get("system_fingerprint")
                observation.server_version = version if isinstance(version, str) else None
            return told

        async def fit() -> dict[str, Any]:
            return await self._fitting(ask.sampling.max_tokens, send)

        try:
            answer = await self._switching(ask.sampling.thinking, fit)
        except LogprobsRefused as error:
            raise error.of("top_logprobs", ask.sampling.logprobs) from error
        usage = read_usage(answer)
        completions = read_completions(answer, ask.sampling, len(seeds))
        return completions, usage if tally is None else tally.settle(usage)

    async def _fitting(self, max_tokens: int, send: Callable[[bool], Awaitable[Result]]) -> Result:
        """The server refuses more tokens than its context has room for: then it is asked for all the room there is,
        which is less. A prompt that does not fit by itself is refused again."""
        if self._context is not None and max_tokens >= self._context:
            return await send(True)
        try:
            return await send(False)
        except ContextTooLong as error:
            self._context = error.context_tokens
            return await send(True)

    async def _label_logprobs(self, prompt: Sequence[Message], labels: Sequence[str], request_id: str) -> LabelLogprobs:
        ids = await all_results([self._label_id(label) for label in labels])

        async def send() -> dict[str, Any]:
            body = label_body(self._endpoint, self._model, prompt, ids, switch=self._switch)
            return await self._transport.send(Request(route(self._endpoint), body, request_id), read_json)

        answer = await self._switching("off", send)
        found = read_label_logprobs(self._endpoint, answer)
        if missing := [label for label, token_id in zip(labels, ids, strict=True) if token_id not in found]:
            raise Unsupported(f"the server told nothing about the labels {missing}; label_logprobs needs vLLM 0.32")
        logprobs = {label: found[token_id] for label, token_id in zip(labels, ids, strict=True)}
        return LabelLogprobs(logprobs, read_usage(answer))

    async def _label_id(self, label: str) -> int:
        if label not in self._label_ids:
            body = {"model": self._model, "prompt": label, "add_special_tokens": False}
            tokens = (await self._transport.send(Request("/tokenize", body), read_json)).get("tokens")
            if not isinstance(tokens, list) or len(tokens) != 1 or type(tokens[0]) is not int:
                raise Unsupported(f"the label {label!r} is not one token of {self._model} but {tokens}; choose another")
            self._label_ids[label] = tokens[0]
        return self._label_ids[label]

    async def _switching(self, thinking: str, send: Callable[[], Awaitable[Result]]) -> Result:
        """Mistral's own tokenizers have no switch for thinking, and refuse to be told that it is off."""
        try:
            return await send()
        except SwitchRefused:
            if thinking != "off":
                raise
            self._switch = False
            return await send()

    async def _check(self) -> None:
        for url in self._transport.base_urls:
            served = await self._transport.send(Request("/models"), served_models, base_url=url)
            if self._model not in served:
                raise self._transport.not_served(url, served)


def _lost(error: RunError, n: int) -> Completions:
    return Completions((Completion("", "abort", None, error=str(error)),) * n, {**no_usage(), "requests": 1})


def _runs(seeds: Sequence[int]) -> Iterator[list[int]]:
    """The seeds in runs of consecutive ones."""
    run: list[int] = []
    for seed in seeds:
        if run and seed != run[-1] + 1:
            yield run
            run = []
        run.append(seed)
    if run:
        yield run
