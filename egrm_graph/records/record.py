"""The record of a run: everything that led to its verdict, as plain JSON.

docs/trace.schema.json is the JSON Schema of `Record`. Fields that end in `_ms` are milliseconds since the run started.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from egrm_graph.settings import ReplyForm
from egrm_graph.verification import Asked, Message, Usage, Verification

VERSION = 1

Level = Literal["summary", "full"]
Source = Literal["build", "calibration", "context", "configurable"]
Ending = Literal["ok", "degraded", "abstained", "failed", "cancelled", "unfinished"]
"""The verification's status, or why the verification is missing: an error was raised, the run was cancelled, or it was
abandoned between two nodes (`unfinished`)."""


class Tokens(TypedDict):
    """A text by token. Each list has one entry per token."""

    texts: list[str]
    logprobs: list[float]
    """The log-probability (nats) of each token."""
    alternatives: list[dict[str, float]]
    """The most likely tokens at this position and their log-probabilities (nats), most likely first."""


class Generated(TypedDict):
    """One completion of a call. The verification has its text: the sample or path with this request id and seed. A
    solution of the task is part of the judgments of the paths."""

    seed: int
    finish_reason: str | None
    n_tokens: int | None
    tokens: Tokens | None
    """None unless `trace_tokens` requests them."""
    error: str | None


class Retry(TypedDict):
    """A failed attempt that was retried."""

    at_ms: float
    reason: str


class ModelCall(TypedDict):
    """One request for completions or label probabilities, including its retries."""

    node: str
    kind: Literal["sample", "labels"]
    request_id: str
    prompt: int | None
    """Index into the record's `prompts`. None if prompts are not recorded."""
    sampling: dict[str, Any]
    """The fields of `Sampling`. Empty for labels."""
    reply_form: ReplyForm | None
    """How the reply is kept short; see the setting `fast_reply`. Records of earlier versions do not have this field."""
    labels: list[str]
    seeds: list[int]
    started_ms: float
    first_token_ms: float | None
    """None if the answer was not streamed. `trace_tokens`, a deadline, or a budget make it stream."""
    ended_ms: float
    ending: Literal["ok", "failed", "cancelled"]
    error: str | None
    retries: list[Retry]
    server: str | None
    """The server that answered last. None for a model in this process."""
    usage: Usage | None
    """None if the call did not complete. The usage of the run includes its cost."""
    generated: list[Generated]


class NodeRun(TypedDict):
    """One execution of a node."""

    name: str
    started_ms: float
    ended_ms: float
    usage: Usage | None
    """What the node used. None if it failed, and for the last node."""
    reasons: list[str]
    """What went wrong without ending the run. For the last node, the reasons for its answer."""
    error: str | None


class Record(TypedDict):
    """A run. Level `summary` has no prompts, and no texts and tokens of samples and paths."""

    version: int
    level: Level
    texts: bool
    """Whether texts were captured. If not, questions and prompts are missing, and the answers are replaced by
    `answer 1`, `answer 2`, and so on."""
    run_id: str
    trace_id: str | None
    """The OpenTelemetry trace that contains the run's spans."""
    started_at: float
    """Seconds since the epoch."""
    ms: float
    ending: Ending
    error: str | None
    package: str
    """The version of egrm-graph."""
    engine: str
    """`embedded`, `vllm` or `chat_model`. For other clients, the name of the class."""
    model: str
    task: str
    scorer: str | None
    server_version: str | None
    metadata: dict[str, str]
    """The caller's `metadata` from the run's config, such as a thread id."""
    settings: dict[str, Any]
    """All settings of the run, by name."""
    sources: dict[str, Source]
    """The source of each setting that is not the default."""
    asked: Asked | None
    nodes: list[NodeRun]
    prompts: list[list[Message]]
    """Every distinct prompt, as it was sent."""
    calls: list[ModelCall]
    classes: list[int | None]
    """For each fast answer, the index of the vote it counts toward."""
    margin: float | None
    """How far the measure's value is on the certain side of the threshold, in the measure's units. Negative on the
    uncertain side."""
    why: list[str]
    """The route and the answer, explained in sentences."""
    verification: Verification | None
