"""What a client is: the one Protocol between the graph and a language model, and the values that cross it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, runtime_checkable

from egrm_graph.settings import Thinking
from egrm_graph.verification import Message, Usage

FinishReason = Literal["stop", "length", "abort"]


@dataclass(frozen=True)
class Sampling:
    """How a completion is sampled. A vLLM server is sent every field with every request, so its own defaults never
    count. With a model whose `generation_config.json` says `top_k=1`, all samples would be the same text."""

    temperature: float
    max_tokens: int
    """Completion tokens at most; where the context has less room, what room it has."""
    top_p: float = 1.0
    logprobs: int = 0
    """How many of each position's most likely tokens to return; 0 returns none, not even the chosen token's."""
    stop: tuple[str, ...] = ()
    """Generation stops before any of these texts."""
    choices: tuple[str, ...] = ()
    """Where given, the completion is one of these texts."""
    thinking: Thinking = "default"
    thinking_tokens: int | None = None
    top_k: int | None = None
    """Sample from so many of the likeliest tokens; None or 0: from all."""
    min_p: float | None = None
    """Sample from the tokens with at least this share of the likeliest one's probability; None or 0: from all."""
    repetition_penalty: float | None = None
    """Above 1 makes tokens of the prompt and the text less likely; None or 1: as they are."""
    presence_penalty: float | None = None
    """Taken from the logit of each token that the text has; None or 0: nothing."""
    frequency_penalty: float | None = None
    """Taken from a token's logit each time that the text has it; None or 0: nothing."""


OPTIONS = (
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "thinking_tokens",
)
"""The fields of `Sampling` that not every client can do."""


@dataclass(frozen=True)
class Completion:
    """One sampled text."""

    text: str
    finish_reason: FinishReason
    n_tokens: int | None
    """Completion tokens, the end token included; None where the model does not tell."""
    thinking: str | None = None
    """What a thinking model thought, where the server keeps it apart from the text."""
    token_ids: tuple[int, ...] | None = None
    tokens: tuple[str, ...] | None = None
    """Each token's text, where log-probabilities were asked for."""
    logprobs: tuple[float, ...] | None = None
    """The log-probability (nats) of each chosen token."""
    top_logprobs: tuple[Mapping[str, float], ...] | None = None
    """For each position, the most likely tokens and their log-probabilities (nats)."""
    error: str | None = None
    """Why there is no text, where `finish_reason` is `abort`: this sample was lost, and the others of its call were
    not."""
    response_id: str | None = field(default=None, compare=False)
    """The provider's id of this response, where it is unique: two completions of one id are one, which a cache sent
    twice."""


@dataclass(frozen=True)
class Completions:
    """The answer to one `sample` call: as many completions as were asked for, in the order of their seeds."""

    completions: tuple[Completion, ...]
    usage: Usage


@dataclass(frozen=True)
class LabelLogprobs:
    """The next token's distribution, read at a fixed set of labels."""

    logprobs: Mapping[str, float]
    """The natural log-probability of each label, not renormalised."""
    usage: Usage

    @property
    def mass(self) -> float:
        """The share of all probability that is on the labels, in [0, 1]; infinite where what the server gave are no
        log-probabilities."""
        return sum(math.exp(value) if value < 1 else math.inf for value in self.logprobs.values())


@dataclass
class Meter:
    """Counts tokens of one request while they are generated, so that a cancelled one is paid for.

    A client calls `add` from any thread; `on_change`, if set, is called after each.
    """

    n_tokens: int = 0
    on_change: Callable[[], None] | None = field(default=None, repr=False)

    def add(self, n_tokens: int) -> None:
        self.n_tokens += n_tokens
        changed = self.on_change  # read once: whoever counts may let go of it meanwhile
        if changed is not None:
            changed()


@runtime_checkable
class Client(Protocol):
    """A language model. Any number of calls may be under way at once, from any event loop or thread.

    Cancelling the awaiting task stops the generation. A call raises an `EgrmError` that says what was wrong and what
    would help: `ServerError` after its own retries, `ModelError`, `ContextTooLong`, `Unsupported`, `DeadlineReached`.
    """

    @property
    def name(self) -> str:
        """The model's name, for messages and traces."""
        ...

    @property
    def gives_logprobs(self) -> bool:
        """Whether `Sampling.logprobs` and `label_logprobs` can be asked for."""
        ...

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        """One completion for each seed. With a `meter`, tokens are counted on it while they are generated."""
        ...

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        """The log-probability of each label as the next token. Each label has to be a single token."""
        ...

    async def check(self) -> None:
        """Raises a `SetupError` or `ServerError` that names the fix where the model cannot be used."""
        ...

    async def aclose(self) -> None:
        """Lets go of connections, threads and weights. A closed client cannot be used again."""
        ...


@runtime_checkable
class ContinuesPrompt(Protocol):
    """A client that says whether its model continues the prompt. One that does not say is taken to answer."""

    @property
    def continues_prompt(self) -> bool:
        """Whether the model continues the prompt's text, as base models do, rather than answer in its own turn."""
        ...


@runtime_checkable
class TakesOptions(Protocol):
    """A client that says which of `OPTIONS` reach its model. One that does not say is taken to know `top_p` only."""

    @property
    def sampling_options(self) -> Collection[str]:
        """Names of fields of `Sampling`. What is set and not among them is refused when the graph is built."""
        ...


def stopped(completion: Completion, stop: Sequence[str]) -> Completion:
    """The completion up to the first text where generation should have stopped, for models that go on.

    Its tokens stay counted: they were paid for. One that was broken off is left as it is.
    """
    places = [place for text in stop if (place := completion.text.find(text)) >= 0]
    if not places or completion.finish_reason not in ("stop", "length"):
        return completion
    return replace(completion, text=completion.text[: min(places)], finish_reason="stop")


def no_usage() -> Usage:
    """Nothing spent."""
    return Usage(requests=0, prompt_tokens=0, cached_tokens=0, completion_tokens=0, cancelled_tokens=0)


def add_usage(*parts: Usage) -> Usage:
    """The sum of what was spent."""
    return Usage(
        requests=sum(part["requests"] for part in parts),
        prompt_tokens=sum(part["prompt_tokens"] for part in parts),
        cached_tokens=sum(part["cached_tokens"] for part in parts),
        completion_tokens=sum(part["completion_tokens"] for part in parts),
        cancelled_tokens=sum(part["cancelled_tokens"] for part in parts),
    )
