"""Which runs are meant."""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from egrm_graph.records.record import Ending
from egrm_graph.tracing.summary_row import Row
from egrm_graph.verification import Route

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")

Condition = tuple[str, Callable[[Any, Any], Any], Any]
"""A column of `Row`, what it is compared by, and with what."""


class Filter(BaseModel):
    """Only runs for which everything that is set holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    route: Route | None = None
    """Only runs that took this route: `direct` or `reasoned`."""
    ending: Ending | None = None
    """Only runs that ended so: `ok`, `degraded`, `abstained`, `failed`, `cancelled` or `unfinished`."""
    task: str | None = None
    """Only runs of this task."""
    model: str | None = None
    """Only runs of this model."""
    since: float | None = None
    """Only runs that started then or later: a date, a date and time, or how long ago (`30m`, `2h`, `7d`)."""
    until: float | None = None
    """Only runs that started before that."""
    measure: str | None = None
    """Only runs whose gate went by this measure."""
    uncertainty: tuple[float, float] | None = None
    """Only runs whose measure had a value between these two, in its own units; either may be left out (`..0.6`)."""
    min_tokens: int | None = Field(default=None, ge=0)
    """Only runs that took so many completion tokens or more."""
    min_ms: float | None = Field(default=None, ge=0)
    """Only runs that took so many milliseconds or more."""
    right: bool = False
    """Only runs whose answer is that of the reference."""
    wrong: bool = False
    """Only runs whose answer is not that of the reference."""

    @field_validator("since", "until", mode="before")
    @classmethod
    def _moment(cls, given: Any) -> Any:
        return moment(given) if isinstance(given, str) else given

    @field_validator("uncertainty", mode="before")
    @classmethod
    def _range(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        low, dots, high = given.partition("..")
        if not dots:
            raise ValueError("give a range such as 0.2..0.6, ..0.6 or 0.2..")
        return (low or "-inf", high or "inf")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.right and self.wrong:
            raise ValueError("no run is both right and wrong; give one of the two")
        return self

    def conditions(self) -> Iterator[Condition]:
        """What has to hold of a row. A column that is None fulfils none."""
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

    def takes(self, row: Row) -> bool:
        """Whether the run is one of those that are meant."""
        found = ((getattr(row, name), compared, value) for name, compared, value in self.conditions())
        return all(own is not None and compared(own, value) for own, compared, value in found)


ALL = Filter()


def moment(given: str) -> float:
    """Seconds since the epoch of a date, a date and time (local, if it does not say), or of so long ago.

    Raises:
        ValueError: it is none of these.
    """
    if found := _AGE.fullmatch(given.strip()):
        return time.time() - float(found[1]) * UNITS_S[found[2]]
    try:
        return datetime.fromisoformat(given.strip()).timestamp()
    except ValueError as error:
        raise ValueError("give a date (2026-03-01), a date and time (2026-03-01T14:30), or an age (2h, 7d)") from error
