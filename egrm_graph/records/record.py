"""The record of a run: everything that led to its verdict, as plain JSON.

docs/trace.schema.json is the JSON Schema of `Record`. Times that end in `_ms` are milliseconds since the run began.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from egrm_graph.verification import Asked, Message, Usage, Verification

VERSION = 1

Level = Literal["summary", "full"]
Source = Literal["build", "calibration", "context", "configurable"]
Ending = Literal["ok", "degraded", "abstained", "failed", "cancelled", "unfinished"]
"""The verification's status; or why there is none: an error was raised, the run was cancelled, or it was given up
between two nodes (`unfinished`)."""


class Tokens(TypedDict):
    """A text token by token. All lists have an entry for each token."""

    texts: list[str]
    logprobs: list[float]
    """The log-probability (nats) of each token."""
    alternatives: list[dict[str, float]]
    """The most likely tokens at that place and their log-probabilities (nats), the likeliest first."""


class Generated(TypedDict):
    """One completion of a call. Its text is in the verification: the sample or path with this request id and seed."""

    seed: int
    finish_reason: str | None
    n_tokens: int | None
    tokens: Tokens | None
    """None where they were not asked for (`trace_tokens`)."""
    error: str | None


class Retry(TypedDict):
    """A try that failed, and was repeated."""

    at_ms: float
    reason: str


class ModelCall(TypedDict):
    """One request for completions or for the probabilities of labels, its retries included."""

    node: str
    kind: Literal["sample", "labels"]
    request_id: str
    prompt: int | None
    """Which of the record's `prompts`; None where they are not recorded."""
    sampling: dict[str, Any]
    """The fields of `Sampling`; empty for labels."""
    labels: list[str]
    seeds: list[int]
    started_ms: float
    first_token_ms: float | None
    """None where the answer was not streamed: it is under `trace_tokens`, a deadline or a budget."""
    ended_ms: float
    ending: Literal["ok", "failed", "cancelled"]
    error: str | None
    retries: list[Retry]
    server: str | None
    """The server that answered last; None for a model in this process."""
    usage: Usage | None
    """None where the call did not come to its end; what it cost then is in the usage of the run."""
    generated: list[Generated]


class NodeRun(TypedDict):
    """One node's stay in the run."""

    name: str
    started_ms: float
    ended_ms: float
    usage: Usage | None
    """What was spent in it; None where it failed, and for the last."""
    reasons: list[str]
    """What went wrong in it without ending the run; for the last node, why its answer is what it is."""
    error: str | None


class Record(TypedDict):
    """A run. At level `summary` there are no prompts, and no texts of samples and paths."""

    version: int
    level: Level
    texts: bool
    """Whether texts were captured. Where not, questions and prompts are missing, and different answers are called
    `answer 1`, `answer 2`, ... throughout."""
    run_id: str
    trace_id: str | None
    """The OpenTelemetry trace that the run's spans are part of."""
    started_at: float
    """Seconds since the epoch."""
    ms: float
    ending: Ending
    error: str | None
    package: str
    """The version of egrm-graph."""
    engine: str
    """`embedded`, `vllm` or `chat_model`; of any other client the name of its class."""
    model: str
    task: str
    scorer: str | None
    server_version: str | None
    metadata: dict[str, str]
    """What the caller said of the run in its config's `metadata`, such as a thread's id."""
    settings: dict[str, Any]
    """All that were in force, by name."""
    sources: dict[str, Source]
    """Where those settings came from that were not left at their default."""
    asked: Asked | None
    nodes: list[NodeRun]
    prompts: list[list[Message]]
    """Every prompt as it was sent, each once."""
    calls: list[ModelCall]
    classes: list[int | None]
    """For each fast answer, which of the votes it counts for."""
    margin: float | None
    """How far the measure's value is on the certain side of the threshold, in the measure's units; negative where it
    is not."""
    why: list[str]
    """How route and answer came about, in sentences."""
    verification: Verification | None
