"""A client that records every call and otherwise behaves like the client it wraps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Literal, Self

from egrm_graph.clients.client import (
    Client,
    Completion,
    Completions,
    LabelLogprobs,
    Meter,
    Sampling,
    likeliest,
    reply_form_of,
    restricted,
)
from egrm_graph.clients.observing import Observation, observed
from egrm_graph.clients.server_errors import LogprobsRefused
from egrm_graph.records.record import Generated, ModelCall, Retry, Tokens
from egrm_graph.telemetry.progress import RunSpan
from egrm_graph.verification import Message, Usage


class Clock:
    """Milliseconds since the clock was created, with a resolution of one microsecond."""

    def __init__(self) -> None:
        self._started_ns = time.perf_counter_ns()

    def __call__(self) -> float:
        return (time.perf_counter_ns() - self._started_ns) // 1000 / 1000  # three times as fast as `round`


class CallLog:
    """The calls of one run in order."""

    def __init__(self, span: RunSpan | None) -> None:
        self.span = span
        self.ms = Clock()
        self.node = ""
        """The node that is running."""
        self.calls: list[RecordedCall] = []

    @property
    def server_version(self) -> str | None:
        """The version that the server last reported."""
        return next((call.server_version for call in reversed(self.calls) if call.server_version is not None), None)

    def written(self) -> tuple[list[ModelCall], list[list[Message]]]:
        """The calls in their current state, and their distinct prompts."""
        prompts: list[list[Message]] = []
        calls = [call.written(_number(list(call.prompt), prompts)) for call in self.calls]
        return calls, prompts


def _number(prompt: list[Message], prompts: list[list[Message]]) -> int:
    if prompt not in prompts:
        prompts.append(prompt)
    return prompts.index(prompt)


class RecordedCall(Observation):
    """A context manager around one call. It records the call's end, and the client reports retries to it.

    It allocates as little as possible during a call, because allocations trigger Python's garbage collector. It must
    not be part of a reference cycle: it holds the caller's context, and through that all of LangGraph's state.
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
        self._spanned = None if log.span is None else _SpannedCall(log.span, self.written(None), prompt)
        log.calls.append(self)

    def written(self, prompt: int | None) -> ModelCall:
        """The call in its current state. `prompt` is the index of its prompt."""
        return {
            "node": self._node,
            "kind": self._kind,
            "request_id": self._request_id,
            "prompt": prompt,
            "sampling": {} if self._sampling is None else dict(vars(self._sampling)),
            "reply_form": reply_form_of(self.prompt, self._sampling),
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
        """Report the generated texts to the span. `usage` and `generated` must be complete."""
        if self._spanned is not None:
            self._spanned.call.update(self.written(None))
            self._spanned.span.answered(self._spanned.call, texts)

    def __enter__(self) -> Self:
        if self._spanned is not None:
            self.headers = self._spanned.scope.__enter__()
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
        if self._spanned is not None:
            self._spanned.call.update(self.written(None))
            self._spanned.scope.__exit__(kind, error, traceback)


class _SpannedCall:
    """A call and its span."""

    def __init__(self, span: RunSpan, call: ModelCall, prompt: Sequence[Message]) -> None:
        self.span = span
        self.call = call
        self.scope = span.call(call, prompt)


class RecordedClient:
    """Wraps a client for one run.

    With `tokens` above 0 it requests the log-probabilities of that many alternatives. It removes those that the caller
    did not request, so the run has the same outcome as without recording.
    """

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
        requested = sampling if self._tokens <= sampling.logprobs else replace(sampling, logprobs=self._tokens)
        with RecordedCall(self._log, "sample", request_id, prompt, sampling=sampling, seeds=seeds) as call:
            try:
                found = await self._client.sample(
                    prompt, requested, seeds=seeds, request_id=request_id, meter=self._timed(call, meter)
                )
            except LogprobsRefused as error:
                raise (error if requested is sampling else error.of("trace_tokens", self._tokens)) from error
            call.usage = found.usage
            call.generated = [
                _generated(completion, seed, self._tokens)
                for completion, seed in zip(found.completions, seeds, strict=True)
            ]
            call.answered([completion.text for completion in found.completions])
        if requested is sampling:
            return found
        completions = (restricted(completion, sampling.logprobs) for completion in found.completions)
        return Completions(tuple(completions), found.usage)

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        with RecordedCall(self._log, "labels", request_id, prompt, labels=labels) as call:
            found = await self._client.label_logprobs(prompt, labels, request_id=request_id)
            call.usage = found.usage
        return found

    async def check(self) -> None:
        await self._client.check()

    async def aclose(self) -> None:
        await self._client.aclose()

    def _timed(self, call: RecordedCall, meter: Meter | None) -> Meter | None:
        """A meter that also records the time of the first token.

        Without a meter, one is created only if tokens are recorded, because a meter makes the client stream.
        """
        if meter is None:
            if not self._tokens:
                return None
            meter = Meter()
        on_change = meter.on_change

        def count() -> None:
            call.first_token()
            if on_change is not None:
                on_change()

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
    return Tokens(texts=list(texts), logprobs=list(logprobs), alternatives=[likeliest(top, most) for top in tops])
