"""The embedded model's requests and their rows, one per seed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field

from egrm_graph.clients.client import Completions, FinishReason, Meter, Sampling
from egrm_graph.errors import EgrmError, RunError
from egrm_graph.verification import Message


class TokenTrie(dict[int, "TokenTrie"]):
    """Token sequences as a prefix tree: from each token that may come next to those that may follow it."""


@dataclass(eq=False)
class SampleRequest:
    """One `sample` call."""

    prompt: Sequence[Message]
    sampling: Sampling
    seeds: Sequence[int]
    meter: Meter | None
    future: Future[Completions] = field(default_factory=Future)
    """Never marked as running, so it can be cancelled until it is resolved."""
    rows: list[DecodingRow] = field(default_factory=list)

    def fail(self, error: EgrmError) -> None:
        try:
            self.future.set_exception(error)
        except InvalidStateError:
            return  # it was cancelled or has failed already

    def resolve(self, result: Completions) -> None:
        try:
            self.future.set_result(result)
        except InvalidStateError:
            return

    def count(self, n_tokens: int) -> None:
        """Adds tokens to the meter. If the meter raises, only its own request fails."""
        if self.meter is None:
            return
        try:
            self.meter.add(n_tokens)
        except Exception as error:
            failure = RunError(f"the meter of a request failed: {error!r}")
            failure.__cause__ = error
            self.fail(failure)


@dataclass(eq=False)
class DecodingRow:
    """One completion in progress: a seed of a request."""

    request: SampleRequest
    prompt_ids: tuple[int, ...]
    seed: int
    max_tokens: int
    """The request's maximum, or what the model's context has left if that is less."""
    allowed: TokenTrie | None = None
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    top_logprobs: list[dict[int, float]] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    @property
    def sampling(self) -> Sampling:
        return self.request.sampling
