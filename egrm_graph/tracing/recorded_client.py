"""A client that writes down every call that goes through it, and is otherwise the client it stands for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Literal, Self

from egrm_graph.clients.client import Client, Completion, Completions, LabelLogprobs, Meter, Sampling
from egrm_graph.clients.observing import Observation, observed
from egrm_graph.clients.server_errors import LogprobsRefused
from egrm_graph.records.record import Generated, ModelCall, Retry, Tokens
from egrm_graph.telemetry.progress import RunSpan
from egrm_graph.verification import Message, Usage


class Clock:
    """Milliseconds since it was made, in whole microseconds."""

    def __init__(self) -> None:
        self._begun_ns = time.perf_counter_ns()

    def __call__(self) -> float:
        return (time.perf_counter_ns() - self._begun_ns) // 1000 / 1000  # `round` takes three times as long


class CallLog:
    """The calls of one run, as they come."""

    def __init__(self, span: RunSpan | None) -> None:
        self.span = span
        self.ms = Clock()
        self.node = ""
        """The one that calls now."""
        self.calls: list[WatchedCall] = []

    @property
    def server_version(self) -> str | None:
        """What the server last said that it is."""
        return next((call.server_version for call in reversed(self.calls) if call.server_version is not None), None)

    def written(self) -> tuple[list[ModelCall], list[list[Message]]]:
        """The calls as far as they have come, and their prompts, each once."""
        prompts: list[list[Message]] = []
        calls = [call.written(_number(list(call.prompt), prompts)) for call in self.calls]
        return calls, prompts


def _number(prompt: list[Message], prompts: list[list[Message]]) -> int:
    if prompt not in prompts:
        prompts.append(prompt)
    return prompts.index(prompt)


class WatchedCall(Observation):
    """Around a call: its end is noted however it comes, and the client tells of its tries.

    While a call is under way as little as possible is kept of it, for Python's garbage collector comes by the more
    often the more there is. Nothing that it holds may hold it: it has the caller's context in hand, and with that all
    that LangGraph has of the run.
    """

    def __init__(
        self,
        log: CallLog,
        kind: Literal["sample", "labels"],
        request_id: str,
        prompt: Sequence[Message],
        *,
        sampling: Sampling | None = None,
        labels: Sequence[str] = (),
        seeds: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.prompt = prompt
        self.usage: Usage | None = None
        self.generated: Sequence[Generated] = ()
        self._ms = log.ms
        self._node = log.node
        self._kind: Literal["sample", "labels"] = kind
        self._request_id = request_id
        self._sampling = sampling
        self._labels = labels
        self._seeds = seeds
        self._retries: list[Retry] | None = None
        self._started_ms = self._ended_ms = log.ms()
        self._first_token_ms: float | None = None
        self._ending: Literal["ok", "failed", "cancelled"] = "ok"
        self._error: str | None = None
        self._told = None if log.span is None else _Told(log.span, self.written(None), prompt)
        log.calls.append(self)

    def written(self, prompt: int | None) -> ModelCall:
        """The call as far as it has come; `prompt` is the number of its prompt."""
        return {
            "node": self._node,
            "kind": self._kind,
            "request_id": self._request_id,
            "prompt": prompt,
            "sampling": {} if self._sampling is None else dict(vars(self._sampling)),
            "labels": list(self._labels),
            "seeds": list(self._seeds),
            "started_ms": self._started_ms,
            "first_token_ms": self._first_token_ms,
            "ended_ms": self._ended_ms,
            "ending": self._ending,
            "error": self._error,
            "retries": list(self._retries or ()),
            "server": self.server,
            "usage": self.usage,
            "generated": list(self.generated),
        }

    def retried(self, reason: str) -> None:
        self._retries = [*(self._retries or ()), Retry(at_ms=self._ms(), reason=reason)]

    def first_token(self) -> None:
        """Called on every token."""
        if self._first_token_ms is None:
            self._first_token_ms = self._ms()

    def answered(self, texts: Sequence[str]) -> None:
        """`usage` and `generated` are complete; these are the texts that came."""
        if self._told is not None:
            self._told.call.update(self.written(None))
            self._told.span.answered(self._told.call, texts)

    def __enter__(self) -> Self:
        if self._told is not None:
            self.headers = self._told.around.__enter__()
        self._before = observed.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        observed.reset(self._before)
        del self._before
        self._ended_ms = self._ms()
        if isinstance(error, asyncio.CancelledError):
            self._ending = "cancelled"
        elif error is not None:
            self._ending, self._error = "failed", f"{type(error).__name__}: {error}"
        if self._told is not None:
            self._told.call.update(self.written(None))
            self._told.around.__exit__(kind, error, traceback)


class _Told:
    """A call as its span is told of it."""

    def __init__(self, span: RunSpan, call: ModelCall, prompt: Sequence[Message]) -> None:
        self.span = span
        self.call = call
        self.around = span.call(call, prompt)


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
        asked = sampling if self._tokens <= sampling.logprobs else replace(sampling, logprobs=self._tokens)
        with WatchedCall(self._log, "sample", request_id, prompt, sampling=sampling, seeds=seeds) as call:
            try:
                told = await self._client.sample(
                    prompt, asked, seeds=seeds, request_id=request_id, meter=self._timed(call, meter)
                )
            except LogprobsRefused as error:
                raise (error if asked is sampling else error.of("trace_tokens", self._tokens)) from error
            call.usage = told.usage
            call.generated = [
                _generated(completion, seed, self._tokens)
                for completion, seed in zip(told.completions, seeds, strict=True)
            ]
            call.answered([completion.text for completion in told.completions])
        if asked is sampling:
            return told
        return Completions(tuple(_as_asked(each, sampling.logprobs) for each in told.completions), told.usage)

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        with WatchedCall(self._log, "labels", request_id, prompt, labels=labels) as call:
            told = await self._client.label_logprobs(prompt, labels, request_id=request_id)
            call.usage = told.usage
        return told

    async def check(self) -> None:
        await self._client.check()

    async def aclose(self) -> None:
        await self._client.aclose()

    def _timed(self, call: WatchedCall, meter: Meter | None) -> Meter | None:
        """A meter that also notes when the first token came; one is made only where tokens are recorded, for it has the
        answer streamed."""
        if meter is None:
            if not self._tokens:
                return None
            meter = Meter()
        counted = meter.on_change

        def count() -> None:
            call.first_token()
            if counted is not None:
                counted()

        meter.on_change = count
        return meter


def _generated(completion: Completion, seed: int, tokens: int) -> Generated:
    return {
        "seed": seed,
        "finish_reason": completion.finish_reason,
        "n_tokens": completion.n_tokens,
        "tokens": _tokens(completion, tokens) if tokens else None,
        "error": completion.error,
    }


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
