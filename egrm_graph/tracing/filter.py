"""Filters that choose runs by the columns of `RunSummary`."""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from egrm_graph.records.record import Ending
from egrm_graph.tracing.run_summary import COLUMN_NAMES, COLUMNS, RunSummary
from egrm_graph.verification import Route

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_COMPARISON = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", re.DOTALL)
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}

Condition = tuple[str, Callable[[Any, Any], Any], Any]
"""A column of `RunSummary`, a comparison operator, and the value to compare with."""


class Filter(BaseModel):
    """Selects the runs that meet every condition that is set."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    route: Route | None = None
    """Only runs that took this route: `direct` or `reasoned`."""
    ending: Ending | None = None
    """Only runs that ended this way: `ok`, `degraded`, `abstained`, `failed`, `cancelled` or `unfinished`."""
    task: str | None = None
    """Only runs of this task."""
    model: str | None = None
    """Only runs of this model."""
    since: float | None = None
    """Only runs that started at this time or later: a date, a date and time, or an age (`30m`, `2h`, `7d`)."""
    until: float | None = None
    """Only runs that started before this time."""
    measure: str | None = None
    """Only runs whose gate used this measure."""
    uncertainty: tuple[float, float] | None = None
    """Only runs whose measured value is in this range, in the measure's own units. Either end is optional (`..0.6`)."""
    min_tokens: int | None = Field(default=None, ge=0)
    """Only runs that used at least this many completion tokens."""
    min_ms: float | None = Field(default=None, ge=0)
    """Only runs that took at least this many milliseconds."""
    right: bool = False
    """Only runs whose answer matches the reference."""
    wrong: bool = False
    """Only runs whose answer does not match the reference."""
    where: tuple[str, ...] = ()
    """Only runs where a column meets this condition, such as `level=full` or `margin<0`. Repeat it for more."""

    @field_validator("since", "until", mode="before")
    @classmethod
    def _moment(cls, value: Any) -> Any:
        return moment(value) if isinstance(value, str) else value

    @field_validator("uncertainty", mode="before")
    @classmethod
    def _range(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        low, dots, high = value.partition("..")
        if not dots:
            raise ValueError("give a range such as 0.2..0.6, ..0.6 or 0.2..")
        return (low or "-inf", high or "inf")

    @field_validator("where")
    @classmethod
    def _comparisons(cls, where: tuple[str, ...]) -> tuple[str, ...]:
        for text in where:
            condition_of(text)
        return where

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.right and self.wrong:
            raise ValueError("a run cannot be both right and wrong; give one of the two")
        return self

    def conditions(self) -> Iterator[Condition]:
        """The conditions that a run has to meet. A column that is None meets none."""
        for name in ("route", "ending", "task", "model", "measure"):
            if (value := getattr(self, name)) is not None:
                yield name, operator.eq, value
        low, high = self.uncertainty or (None, None)
        bounds = (
            ("started_at", self.since),
            ("value", low),
            ("completion_tokens", self.min_tokens),
            ("ms", self.min_ms),
        )
        for name, least in bounds:
            if least is not None:
                yield name, operator.ge, least
        if high is not None:
            yield "value", operator.le, high
        if self.until is not None:
            yield "started_at", operator.lt, self.until
        if self.right or self.wrong:
            yield "correct", operator.eq, self.right
        yield from map(condition_of, self.where)

    def matches(self, run: RunSummary) -> bool:
        """Whether the run meets all conditions."""
        found = ((getattr(run, name), compare, value) for name, compare, value in self.conditions())
        return all(own is not None and compare(own, value) for own, compare, value in found)


ALL = Filter()


def condition_of(text: str) -> Condition:
    """Parse a condition such as `margin<0`.

    Raises:
        ValueError: It is not a comparison, the column is unknown, or the value does not have the column's type.
    """
    if not (found := _COMPARISON.fullmatch(text)):
        raise ValueError("give a column, a comparison, and a value, such as level=full or margin<0")
    name, comparison, value = found.groups()
    column = next((column for column in COLUMNS if column.name == name), None)
    if column is None:
        raise ValueError(f"{name!r} is not a column; choose from {', '.join(COLUMN_NAMES)}")
    try:
        parsed = _YES_NO[value.lower()] if column.kind is bool else column.kind(value)
    except (ValueError, KeyError) as error:
        expected = "yes or no" if column.kind is bool else f"a value of type {column.kind.__name__}"
        raise ValueError(f"the column {name!r} takes {expected}, not {value!r}") from error
    return name, _OPERATORS[comparison], parsed


def moment(text: str) -> float:
    """Convert a date, a date and time (local unless it names a zone), or an age to seconds since the epoch.

    Raises:
        ValueError: It is none of these.
    """
    if found := _AGE.fullmatch(text.strip()):
        return time.time() - float(found[1]) * UNITS_S[found[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except ValueError as error:
        raise ValueError("give a date (2026-03-01), a date and time (2026-03-01T14:30), or an age (2h, 7d)") from error
