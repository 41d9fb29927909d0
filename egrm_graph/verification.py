"""The output of a run, and the records that it is made of: plain dicts, the same in Python, JSON and over HTTP."""

from __future__ import annotations

from typing import Literal, TypedDict

Route = Literal["direct", "reasoned"]
Status = Literal["ok", "degraded", "abstained"]


class Message(TypedDict):
    """One chat message as servers take it."""

    role: str
    content: str


class Asked(TypedDict):
    """The question as the tasks take it, and what the run started with."""

    run_id: str
    started_at: float
    """Seconds since the epoch."""
    question: str
    history: list[Message]
    reference: str | None


class Usage(TypedDict):
    """What was spent. `cancelled_tokens` were generated for samples that were then cancelled; they are part of
    `completion_tokens`. `cached_tokens` are the part of `prompt_tokens` that the server had in its prefix cache."""

    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cancelled_tokens: int


class Sample(TypedDict):
    """One fast answer. `answer` is None where none could be read; `error` says why the sample itself is missing."""

    text: str | None
    thinking: str | None
    """What a thinking model thought, where the server keeps it apart from the text."""
    answer: str | None
    n_tokens: int | None
    finish_reason: str | None
    seed: int
    request_id: str
    error: str | None


class Path(Sample):
    """One reasoning path, with its score in [0, 1], or None and the reason."""

    score: float | None
    unscored: str | None


class Vote(TypedDict):
    """One class of equivalent answers, as its first member was spelled, and how many gave it."""

    answer: str
    count: int


class Uncertainty(TypedDict):
    """What the gate saw. `value` is in the measure's own units and None where nothing could be measured; `samples`
    is the denominator, lost and unparsable voters included."""

    measure: str
    value: float | None
    threshold: float
    votes: list[Vote]
    samples: int


class Verification(TypedDict):
    """The one output of the graph."""

    run_id: str
    status: Status
    route: Route
    answer: str | None
    correct: bool | None
    """Whether the answer is equivalent to the reference; None without a reference or an answer."""
    winner: int | None
    """The index in `paths` of the path that decided; None where votes did."""
    rewards: list[float | None] | None
    """A reward for each candidate; None where no candidates were handed in."""
    confidence: float | None
    """Direct: the share of the votes, which is not calibrated. Reasoned: the winner's score, or without scores its
    answer's share of the paths."""
    calibrated: bool | None
    """Whether the paths' scores were fitted to be probabilities on held-out data; None where no path has a score."""
    uncertainty: Uncertainty
    samples: list[Sample]
    paths: list[Path]
    reasons: list[str]
    usage: Usage
    timing_ms: dict[str, float]
