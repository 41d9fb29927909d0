"""What waits for the embedded model: requests, and their rows, one for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field

from egrm_graph.clients.client import Completions, FinishReason, Meter, Sampling
from egrm_graph.errors import EgrmError, RunError
from egrm_graph.verification import Message


class Trie(dict[int, "Trie"]):
    """Token sequences: what may come next, and after that, and so on."""


@dataclass(eq=False)
class Request:
    """One `sample` call on its way through the worker."""

    prompt: Sequence[Message]
    sampling: Sampling
    seeds: Sequence[int]
    meter: Meter | None
    future: Future[Completions] = field(default_factory=Future)
    """Never marked as running, so that cancelling works until it is resolved."""
    rows: list[Row] = field(default_factory=list)

    def fail(self, error: EgrmError) -> None:
        try:
            self.future.set_exception(error)
        except InvalidStateError:
            return  # cancelled or failed before

    def resolve(self, result: Completions) -> None:
        try:
            self.future.set_result(result)
        except InvalidStateError:
            return

    def count(self, n_tokens: int) -> None:
        """Feeds the meter. One that raises fails its own request, not the batch."""
        if self.meter is None:
            return
        try:
            self.meter.add(n_tokens)
        except Exception as error:
            failure = RunError(f"the meter of a request failed: {error!r}")
            failure.__cause__ = error
            self.fail(failure)


@dataclass(eq=False)
class Row:
    """One completion on its way: a seed of a request."""

    request: Request
    prompt_ids: tuple[int, ...]
    seed: int
    room: int
    """Tokens at most: what was asked for, or what the model's context has left."""
    allowed: Trie | None = None
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    top_logprobs: list[dict[int, float]] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    @property
    def sampling(self) -> Sampling:
        return self.request.sampling
