"""The client Protocol, which is all that the graph knows of a language model, and the values that it exchanges."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, runtime_checkable

from egrm_graph.settings import ReplyForm, Thinking
from egrm_graph.verification import Message, Token, Usage

FinishReason = Literal["stop", "length", "abort"]


@dataclass(frozen=True)
class Sampling:
    """How a completion is sampled.

    A request to a vLLM server has every field, so that the server's own defaults never apply. With a model whose
    `generation_config.json` says `top_k=1`, all samples would be the same text.
    """

    temperature: float
    max_tokens: int
    """The maximum of completion tokens, or what the context has left if that is less."""
    top_p: float = 1.0
    logprobs: int = 0
    """How many of each position's most likely tokens to return with log-probabilities. 0 returns none, not even the
    chosen token's."""
    stop: tuple[str, ...] = ()
    """Generation stops before any of these texts."""
    choices: tuple[str, ...] = ()
    """If not empty, the completion is one of these texts."""
    pattern: str | None = None
    """A regular expression that the full completion matches; None for any text."""
    begins_with: tuple[int, ...] | None = None
    """The tokens with which the completion begins, as ids; the model goes on after them. They end with a full
    character. If it is not None, even if it is empty, the text has everything, a thinking model's thoughts included,
    and the completion has the `likeliest` tokens, `logprobs` of them at each position. Only for a client that
    `ContinuesTokens`."""
    thinking: Thinking = "default"
    thinking_tokens: int | None = None
    top_k: int | None = None
    """Sample from this many of the likeliest tokens; None or 0: from all."""
    min_p: float | None = None
    """Sample from the tokens with at least this share of the likeliest one's probability; None or 0: from all."""
    repetition_penalty: float | None = None
    """Above 1 makes tokens of the prompt and the text less likely; None or 1: no penalty."""
    presence_penalty: float | None = None
    """Subtracted from the logit of each token that the text has; None or 0: no penalty."""
    frequency_penalty: float | None = None
    """Subtracted from a token's logit for each time that the text has it; None or 0: no penalty."""


OPTIONS = (
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "thinking_tokens",
)
"""The fields of `Sampling` that not every client supports."""


@dataclass(frozen=True)
class Completion:
    """One sampled text."""

    text: str
    finish_reason: FinishReason
    n_tokens: int | None
    """Completion tokens, the end token included; None if the model does not report them."""
    thinking: str | None = None
    """A thinking model's thoughts, if the server separates them from the text."""
    token_ids: tuple[int, ...] | None = None
    """The generated tokens, without those that it begins with."""
    tokens: tuple[str, ...] | None = None
    """Each token's text, if log-probabilities were requested."""
    logprobs: tuple[float, ...] | None = None
    """The log-probability (nats) of each chosen token."""
    top_logprobs: tuple[Mapping[str, float], ...] | None = None
    """For each position, the most likely tokens and their log-probabilities (nats)."""
    likeliest: tuple[Sequence[Token], ...] | None = None
    """For each generated token, the most likely tokens at its place, the likeliest first; only if the sampling says
    what the completion `begins_with`. The text of a token that is not among the first few may be missing (empty)."""
    before: int = 0
    """How many characters of the text are from the tokens that it begins with."""
    error: str | None = None
    """Why this sample was lost, if `finish_reason` is `abort`. The others of its call were not."""
    response_id: str | None = field(default=None, compare=False)
    """The provider's id of this response, if it is unique. Two completions with one id are one that a cache sent
    twice."""


@dataclass(frozen=True)
class Completions:
    """The result of one `sample` call: one completion per seed, in the order of the seeds."""

    completions: tuple[Completion, ...]
    usage: Usage


@dataclass(frozen=True)
class LabelLogprobs:
    """The next token's distribution, read at a fixed set of labels."""

    logprobs: Mapping[str, float]
    """The natural log-probability of each label, not renormalized."""
    usage: Usage

    @property
    def mass(self) -> float:
        """The share of all probability that is on the labels, in [0, 1]. Infinite if the server's values are not
        log-probabilities."""
        return sum(math.exp(value) if value < 1 else math.inf for value in self.logprobs.values())


@dataclass
class Meter:
    """Counts the tokens of one request while they are generated, so that a cancelled request is counted, too.

    A client calls `add` from any thread. `on_change`, if set, is called after each.
    """

    n_tokens: int = 0
    on_change: Callable[[], None] | None = field(default=None, repr=False)

    def add(self, n_tokens: int) -> None:
        self.n_tokens += n_tokens
        changed = self.on_change  # read once: the owner may clear it meanwhile
        if changed is not None:
            changed()


@runtime_checkable
class Client(Protocol):
    """A language model. Any number of calls may run at once, from any event loop or thread.

    A prompt whose last message has the role `assistant` is a started turn, which the model continues. A completion has
    only what the model adds.

    Cancelling the awaiting task stops the generation. A call raises an `EgrmError` that says what is wrong and how to
    fix it: `ServerError` after its own retries, `ModelError`, `ContextTooLong`, `Unsupported`, `DeadlineReached`.
    """

    @property
    def name(self) -> str:
        """The model's name, for messages and traces."""
        ...

    @property
    def gives_logprobs(self) -> bool:
        """Whether `Sampling.logprobs` and `label_logprobs` are supported."""
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
        """One completion per seed. With a `meter`, counts tokens on it while they are generated."""
        ...

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        """The log-probability of each label as the next token. Each label must be a single token."""
        ...

    async def check(self) -> None:
        """Raises a `SetupError` or `ServerError` that names the fix if the model cannot be used."""
        ...

    async def aclose(self) -> None:
        """Closes connections and threads, and releases weights. A closed client cannot be used again."""
        ...


@runtime_checkable
class ContinuesPrompt(Protocol):
    """A client that says whether its model continues the prompt. Any other is assumed to answer in its own turn."""

    @property
    def continues_prompt(self) -> bool:
        """Whether the model continues the prompt's text, as base models do."""
        ...


@runtime_checkable
class TakesOptions(Protocol):
    """A client that says which of `OPTIONS` reach its model. Without this, only `top_p` is assumed to."""

    @property
    def sampling_options(self) -> Collection[str]:
        """Names of fields of `Sampling`. `build_graph` refuses an option that is set and not among them."""
        ...


@runtime_checkable
class ShapesReplies(Protocol):
    """A client that says which forms of reply it supports. Any other is assumed to support only `free` ones."""

    @property
    def reply_forms(self) -> Collection[ReplyForm]:
        """`continued` if the model continues a started turn, `structured` if `Sampling.pattern` and `choices` are
        supported."""
        ...


@runtime_checkable
class MayShapeReplies(Protocol):
    """A client that can request further forms of reply, which not every server behind it supports."""

    @property
    def optional_reply_forms(self) -> Collection[ReplyForm]:
        """The forms that are used only if the settings name them."""
        ...


@runtime_checkable
class ContinuesTokens(Protocol):
    """A client that can continue a completion from any of its tokens. Any other is assumed not to."""

    @property
    def continues_tokens(self) -> bool:
        """Whether `Sampling.begins_with` is supported."""
        ...


def started_turn(prompt: Sequence[Message]) -> str:
    """The text with which a prompt starts the assistant's turn; empty if the model starts it."""
    return prompt[-1]["content"] if prompt and prompt[-1]["role"] == "assistant" else ""


def prompt_text(prompt: Sequence[Message], separator: str) -> str:
    """The prompt as one text, for a model without turns. A started turn is on a line of its own."""
    start = started_turn(prompt)
    text = separator.join(message["content"] for message in (prompt[:-1] if start else prompt))
    return f"{text}\n{start}" if start and text and not text[-1].isspace() else text + start


def reply_form_of(prompt: Sequence[Message], sampling: Sampling | None) -> ReplyForm:
    """The form of reply that a request asks for."""
    if started_turn(prompt):
        return "continued"
    return "structured" if sampling is not None and (sampling.pattern or sampling.choices) else "free"


def stopped(completion: Completion, stop: Sequence[str]) -> Completion:
    """Cuts the completion at the first stop text, for models that continue after it.

    Its token count stays: the tokens were paid for. A completion that was lost is returned unchanged.
    """
    places = [place for text in stop if (place := completion.text.find(text)) >= 0]
    if not places or completion.finish_reason not in ("stop", "length"):
        return completion
    return replace(completion, text=completion.text[: min(places)], finish_reason="stop")


def restricted(completion: Completion, logprobs: int) -> Completion:
    """The completion with log-probabilities of only this many likeliest tokens at each position; 0 for none at all."""
    tokens = completion.likeliest and tuple(place[:logprobs] for place in completion.likeliest)
    if not logprobs or completion.top_logprobs is None:
        return replace(completion, tokens=None, logprobs=None, top_logprobs=None, likeliest=tokens)
    top = tuple(likeliest(top, logprobs) for top in completion.top_logprobs)
    return replace(completion, top_logprobs=top, likeliest=tokens)


def likeliest(top: Mapping[str, float], most: int) -> dict[str, float]:
    """The tokens with the largest log-probabilities, the largest first."""
    return dict(sorted(top.items(), key=lambda pair: -pair[1])[:most])


def no_usage() -> Usage:
    """A usage of zero."""
    return Usage(requests=0, prompt_tokens=0, cached_tokens=0, completion_tokens=0, cancelled_tokens=0)


def add_usage(*parts: Usage) -> Usage:
    """The sum of the usages."""
    return Usage(
        requests=sum(part["requests"] for part in parts),
        prompt_tokens=sum(part["prompt_tokens"] for part in parts),
        cached_tokens=sum(part["cached_tokens"] for part in parts),
        completion_tokens=sum(part["completion_tokens"] for part in parts),
        cancelled_tokens=sum(part["cancelled_tokens"] for part in parts),
    )
