"""A client that writes down every call that goes through it, and is otherwise the client it stands for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal

from egrm_graph.clients.client import Client, Completion, Completions, LabelLogprobs, Meter, Sampling
from egrm_graph.clients.observing import Observation, observed
from egrm_graph.tracing.record import Generated, ModelCall, Retry, Tokens
from egrm_graph.tracing.spans import RunSpan
from egrm_graph.verification import Message


class Clock:
    """Milliseconds since it was made."""

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun = time.perf_counter()

    def __call__(self) -> float:
        return round((time.perf_counter() - self._begun) * 1e3, 3)


class CallLog:
    """The calls and prompts of one run, as they come."""

    def __init__(self, ms: Callable[[], float], span: RunSpan | None) -> None:
        self.ms = ms
        self.span = span
        self.node = ""
        """The one that calls now."""
        self.calls: list[ModelCall] = []
        self.prompts: list[list[Message]] = []
        self.server_version: str | None = None

    def prompt_number(self, prompt: Sequence[Message]) -> int:
        """Which prompt this is; every one is kept once."""
        written = list(prompt)
        if written not in self.prompts:
            self.prompts.append(written)
        return self.prompts.index(written)


class WatchedCall(Observation):
    """Around a call: its end is written down however it comes, and the client tells of its tries.

    Nothing that it holds may hold it: it has the caller's context in hand, and with that all that LangGraph has of the
    run, which would wait for Python's garbage collector.
    """

    def __init__(self, log: CallLog, call: ModelCall, prompt: Sequence[Message]) -> None:
        super().__init__()
        self._log = log
        self._call = call
        self._span = None if log.span is None else log.span.call(call, prompt)
        log.calls.append(call)

    def retried(self, reason: str) -> None:
        self._call["retries"].append(Retry(at_ms=self._log.ms(), reason=reason))

    def __enter__(self) -> None:
        if self._span is not None:
            self.headers = self._span.__enter__()
        self._before = observed.set(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        call = self._call
        observed.reset(self._before)
        call["ended_ms"], call["server"] = self._log.ms(), self.server
        self._log.server_version = self.server_version or self._log.server_version
        if isinstance(error, asyncio.CancelledError):
            call["ending"] = "cancelled"
        elif error is not None:
            call["ending"], call["error"] = "failed", f"{type(error).__name__}: {error}"
        if self._span is not None:
            self._span.__exit__(kind, error, traceback)


class WatchedClient:
    """Stands for a client in one run. With `tokens` above 0 it asks for the log-probabilities of so many
    alternatives, and keeps what nobody else asked for to itself: the run comes out as it would without."""

    def __init__(self, client: Client, log: CallLog, tokens: int) -> None:
        self._client = client
        self._log = log
        self._tokens = tokens if client.gives_logprobs else 0

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def gives_logprobs(self) -> bool:
        return self._client.gives_logprobs

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        call = self._call("sample", request_id, prompt, sampling=vars(sampling), seeds=seeds)
        asked = sampling if self._tokens <= sampling.logprobs else replace(sampling, logprobs=self._tokens)
        meter = self._timed(call, meter)
        with WatchedCall(self._log, call, prompt):
            told = await self._client.sample(prompt, asked, seeds=seeds, request_id=request_id, meter=meter)
            call["usage"] = told.usage
            call["generated"] = [
                _generated(completion, seed, self._tokens)
                for completion, seed in zip(told.completions, seeds, strict=True)
            ]
            if self._log.span is not None:
                self._log.span.answered(call, [completion.text for completion in told.completions])
        if asked is sampling:
            return told
        return Completions(tuple(_as_asked(each, sampling.logprobs) for each in told.completions), told.usage)

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        call = self._call("labels", request_id, prompt, labels=labels)
        with WatchedCall(self._log, call, prompt):
            told = await self._client.label_logprobs(prompt, labels, request_id=request_id)
            call["usage"] = told.usage
        return told

    async def check(self) -> None:
        await self._client.check()

    async def aclose(self) -> None:
        await self._client.aclose()

    def _call(
        self,
        kind: Literal["sample", "labels"],
        request_id: str,
        prompt: Sequence[Message],
        *,
        sampling: Mapping[str, Any] | None = None,
        labels: Sequence[str] = (),
        seeds: Sequence[int] = (),
    ) -> ModelCall:
        now = self._log.ms()
        return ModelCall(
            node=self._log.node,
            kind=kind,
            request_id=request_id,
            prompt=self._log.prompt_number(prompt),
            sampling=dict(sampling or {}),
            labels=list(labels),
            seeds=list(seeds),
            started_ms=now,
            first_token_ms=None,
            ended_ms=now,
            ending="ok",
            error=None,
            retries=[],
            server=None,
            usage=None,
            generated=[],
        )

    def _timed(self, call: ModelCall, meter: Meter | None) -> Meter | None:
        """A meter that also notes when the first token came; one is made only where tokens are recorded, for it has the
        answer streamed."""
        if meter is None:
            if not self._tokens:
                return None
            meter = Meter()
        counted = meter.on_change

        def count() -> None:
            if call["first_token_ms"] is None:
                call["first_token_ms"] = self._log.ms()
            if counted is not None:
                counted()

        meter.on_change = count
        return meter


def _generated(completion: Completion, seed: int, tokens: int) -> Generated:
    return Generated(
        seed=seed,
        finish_reason=completion.finish_reason,
        n_tokens=completion.n_tokens,
        tokens=_tokens(completion, tokens) if tokens else None,
        error=completion.error,
    )


def _tokens(completion: Completion, most: int) -> Tokens | None:
    texts, logprobs, tops = completion.tokens, completion.logprobs, completion.top_logprobs
    if texts is None or logprobs is None or tops is None or not len(texts) == len(logprobs) == len(tops):
        return None
    return Tokens(texts=list(texts), logprobs=list(logprobs), alternatives=[_likeliest(top, most) for top in tops])


def _as_asked(completion: Completion, logprobs: int) -> Completion:
    if not logprobs or completion.top_logprobs is None:
        return replace(completion, tokens=None, logprobs=None, top_logprobs=None)
    return replace(completion, top_logprobs=tuple(_likeliest(top, logprobs) for top in completion.top_logprobs))


def _likeliest(top: Mapping[str, float], most: int) -> dict[str, float]:
    return dict(sorted(top.items(), key=lambda pair: -pair[1])[:most])
