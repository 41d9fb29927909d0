"""What is shown of a run among others."""

from __future__ import annotations

from typing_extensions import TypedDict

from egrm_graph.tracing.record import Ending, Record
from egrm_graph.verification import Route

LONGEST = 200
"""Characters of a question or an answer."""


class Row(TypedDict):
    """One run. What a run does not have is None."""

    id: str
    at: float
    """Seconds since the epoch."""
    question: str | None
    answer: str | None
    ending: Ending
    route: Route | None
    correct: bool | None
    measure: str | None
    value: float | None
    ms: float
    tokens: int | None
    """Completion tokens."""
    task: str
    model: str


def row_of(record: Record) -> Row:
    """The run in a row."""
    told = record["verification"]
    asked = record["asked"]
    return Row(
        id=record["run_id"],
        at=record["started_at"],
        question=None if asked is None else asked["question"][:LONGEST],
        answer=None if told is None or told["answer"] is None else told["answer"][:LONGEST],
        ending=record["ending"],
        route=None if told is None else told["route"],
        correct=None if told is None else told["correct"],
        measure=None if told is None else told["uncertainty"]["measure"],
        value=None if told is None else told["uncertainty"]["value"],
        ms=record["ms"],
        tokens=None if told is None else told["usage"]["completion_tokens"],
        task=record["task"],
        model=record["model"],
    )
