"""The graph's state: plain values only, so that any checkpointer can store it."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypeAlias

from langchain_core.messages import AnyMessage
from langgraph.channels import EphemeralValue
from langgraph.managed import RemainingSteps
from typing_extensions import TypedDict  # of its own one Python 3.11 gives servers no schema

from egrm_graph.reasons import Reason
from egrm_graph.verification import Asked, Path, Reading, Route, Sample, Uncertainty, Usage, Verification, View

PlainValue = str | float | bool
"""A reference; a number or a boolean counts as its JSON text."""

Messages: TypeAlias = Annotated[list[AnyMessage], EphemeralValue(list)]


class Input(TypedDict, total=False):
    """The input: a `question`, or `messages` that end with one. Tasks that judge also take `candidates`, and `tools` or
    a `rubric` to judge them by. The first node reads all of it."""

    question: Annotated[str, EphemeralValue(str)]
    messages: Messages
    reference: Annotated[PlainValue, EphemeralValue(PlainValue)]
    candidates: Annotated[list[Any], EphemeralValue(list)]
    tools: Annotated[list[Any], EphemeralValue(list)]
    rubric: Annotated[str, EphemeralValue(str)]


class Output(TypedDict):
    """The output: the verification. If a question came in with `messages`, also those messages and the answer."""

    verification: Verification
    messages: NotRequired[Messages]


class Stage(TypedDict):
    """What every stage passes on next to its result."""

    usage: Usage
    ms: float
    reasons: list[Reason]


class Expanded(Stage):
    """The reasoning paths of all waves so far. Usage, time, and reasons are those of all waves, too."""

    paths: list[Path]
    """In the order of the waves; those of earlier waves with their scores."""
    views: list[View]
    """The views that the paths are drawn in."""
    view_of: list[int]
    """For each path, the index of its view."""
    waves: int
    """How many waves of the plan are drawn."""
    extra_calls: int
    """How many model calls the strategy made beyond one for each path."""
    planned: int
    """How many paths there are if drawing does not stop early."""
    ended: bool
    """Whether no more paths can be drawn: all planned ones were, the strategy has no more calls, or a limit was
    reached."""


class Drawn(Stage):
    """The fast answers."""

    views: list[View]
    """The views that they are drawn in; empty if no model has to be asked."""
    samples: list[Sample]
    readings: list[Reading]
    planned: int
    """How many fast answers there are if drawing does not stop early."""
    ahead: Expanded | None
    """The first wave of paths, drawn before the gate decided; without its usage, which counts here."""


class Gated(Stage):
    """The gate's decision."""

    uncertainty: Uncertainty
    route: Route
    classes: list[int | None]
    """For each sample, the index of the vote it counts for."""
    margin: float | None
    """How far the value is on the certain side of the threshold."""


class Scored(Stage):
    """The paths of all waves so far, with their scores."""

    paths: list[Path]
    enough: bool
    """Whether no more paths are drawn."""


class State(Input):
    """All keys. Each private one is written by one node and read by later ones. Paths are drawn and scored in a loop:
    what a wave writes has everything of the waves before it, so a run can resume anywhere."""

    verification: Verification
    asked: Asked
    conversation: NotRequired[list[AnyMessage] | None]
    """The messages that the answer follows; None if none came in, or candidates are judged."""
    drawn: Drawn
    gated: Gated
    expanded: NotRequired[Expanded | None]
    scored: NotRequired[Scored | None]
    remaining_steps: NotRequired[RemainingSteps]
    """How many more steps LangGraph allows. No node writes it."""
