"""What flows through the graph: plain values only, so that any checkpointer can keep it."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from langchain_core.messages import AnyMessage
from langgraph.channels import EphemeralValue
from typing_extensions import TypedDict  # of its own one Python 3.11 gives servers no schema

from egrm_graph.verification import Asked, Path, Reading, Route, Sample, Uncertainty, Usage, Verification

Plain = str | float | bool
"""What a reference may be; a number or a boolean counts as its JSON text."""


class Input(TypedDict, total=False):
    """Handed in: a `question`, or `messages` of which the last is the question; for tasks that judge, `candidates`, and
    `tools` or a `rubric` that they are judged by. Read once, by the first node."""

    question: Annotated[str, EphemeralValue(str)]
    messages: Annotated[list[AnyMessage], EphemeralValue(list)]
    reference: Annotated[Plain, EphemeralValue(Plain)]
    candidates: Annotated[list[Any], EphemeralValue(list)]
    tools: Annotated[list[Any], EphemeralValue(list)]
    rubric: Annotated[str, EphemeralValue(str)]


class Output(TypedDict):
    """Handed out."""

    verification: Verification


class Stage(TypedDict):
    """What every stage hands on beside its result."""

    usage: Usage
    ms: float
    reasons: list[str]


class DrawnAhead(TypedDict):
    """Paths that were drawn before the gate had decided; `answer_fast` told their usage."""

    paths: list[Path]
    reasons: list[str]


class Drawn(Stage):
    samples: list[Sample]
    readings: list[Reading]
    planned: int
    """How many fast answers there are where drawing does not stop early."""
    ahead: DrawnAhead | None


class Gated(Stage):
    uncertainty: Uncertainty
    route: Route
    classes: list[int | None]
    """For each sample which of the votes it counts for."""
    margin: float | None
    """How far the value is on the certain side of the threshold."""


class Expanded(Stage):
    paths: list[Path]


class State(Input, Output):
    """All keys. The private ones, a key a node, are each written by one node and read by the later ones."""

    asked: Asked
    drawn: Drawn
    gated: Gated
    expanded: NotRequired[Expanded | None]
    scored: NotRequired[Expanded | None]
