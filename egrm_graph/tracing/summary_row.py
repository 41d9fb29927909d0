"""What runs are listed and chosen by, without reading their whole records."""

from __future__ import annotations

import math
from typing import NamedTuple

from egrm_graph.records.record import Record

SHOWN = 120
"""Characters that are kept of a question and of an answer."""


class Row(NamedTuple):
    """A run in a list of runs."""

    run_id: str
    started_at: float
    """Seconds since the epoch."""
    ms: float
    ending: str
    level: str
    task: str
    model: str
    route: str | None
    measure: str | None
    value: float | None
    threshold: float | None
    margin: float | None
    correct: bool | None
    completion_tokens: int
    question: str | None
    """Its beginning."""
    answer: str | None
    """Its beginning."""
    bytes: int
    """Of the whole record."""


def row_of(record: Record, n_bytes: int) -> Row:
    """The row of a record that takes `n_bytes` in the store. What a database cannot hold is spelled out; what an older
    package did not record is None.

    Raises:
        KeyError: it is not a record.
    """
    told, asked = record.get("verification"), record.get("asked")
    gate = None if told is None else told.get("uncertainty")
    measure = None if gate is None else gate.get("measure")
    return Row(
        run_id=storable(record["run_id"]),
        started_at=_finite(record["started_at"]) or 0.0,
        ms=_finite(record["ms"]) or 0.0,
        ending=record["ending"],
        level=record["level"],
        task=storable(record["task"]),
        model=storable(record["model"]),
        route=None if told is None else told.get("route"),
        measure=None if measure is None else storable(measure),
        value=None if gate is None else _finite(gate.get("value")),
        threshold=None if gate is None else _finite(gate.get("threshold")),
        margin=_finite(record.get("margin")),
        correct=None if told is None else told.get("correct"),
        completion_tokens=completion_tokens(record),
        question=None if asked is None else _beginning(asked.get("question")),
        answer=None if told is None else _beginning(told.get("answer")),
        bytes=n_bytes,
    )


def completion_tokens(record: Record) -> int:
    """Of the whole run; where it has no verification, of the calls that came to their end."""
    if (told := record.get("verification")) is not None:
        return told["usage"]["completion_tokens"]
    return sum(call["usage"]["completion_tokens"] for call in record["calls"] if call["usage"] is not None)


def storable(text: str) -> str:
    """The text with halves of surrogate pairs, which no encoding has, spelled out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _beginning(text: str | None) -> str | None:
    return None if text is None else storable(text[:SHOWN])


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
