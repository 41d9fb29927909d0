"""What runs are listed and filtered by, without reading their full records.

A column is one field of `RunSummary`: its type, how to compute it from a record, and how `egrm trace list` shows it.
The database, the JSON lines, and the options `--columns`, `--where`, and `--json` follow from the fields.

A new column must allow None. Records and stores of earlier versions do not have it: a value that cannot be computed
from a record is None, and a database that lacks the column gets it on the next write.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from operator import attrgetter
from types import NoneType
from typing import Any, get_args, get_type_hints

from egrm_graph.records.record import Record

MAX_TEXT_CHARACTERS = 120
"""The summary keeps this much of a question and of an answer."""
SHORT_ID_CHARACTERS = 8
ENDING_STYLES = {"ok": "bold green", "degraded": "bold yellow", "abstained": "bold red"}
OTHER_ENDING_STYLE = "bold red"

StyledText = tuple[str, str]
"""A text and its style in rich's syntax."""


@dataclass(frozen=True)
class RunColumn:
    """One column of the list of runs."""

    name: str
    kind: type[Any]
    """`str`, `int`, `float`, or `bool`."""
    optional: bool
    """Whether the value may be None."""
    compute: Callable[[Record], Any] | None
    """Computes the value from a record. None for the record's size, which only its store knows."""
    heading: str
    cell: Callable[[RunSummary], Sequence[StyledText]] | None = None
    """The parts of the cell in the terminal, which are joined by spaces. None formats the value by its type."""
    default: bool = False
    """Whether the list shows the column unless `--columns` names others."""
    align_right: bool = False
    wraps: bool = False
    """Whether the column may move to a line of its own below the row."""

    def cell_of(self, row: RunSummary) -> Sequence[StyledText]:
        """The parts of this column's cell."""
        if self.cell is not None:
            return self.cell(row)
        value = getattr(row, self.name)
        if value is None:
            return []
        if isinstance(value, bool):
            return [("yes" if value else "no", "")]
        if isinstance(value, int):
            return [(f"{value:,}", "")]
        return [(f"{value:.4g}" if isinstance(value, float) else str(value), "")]


def completion_tokens(record: Record) -> int:
    """The completion tokens of the run. If it has no verification, those of the calls that completed."""
    if (verification := record.get("verification")) is not None:
        return verification["usage"]["completion_tokens"]
    return sum(call["usage"]["completion_tokens"] for call in record["calls"] if call["usage"] is not None)


def _verdict(record: Record) -> Mapping[str, Any]:
    return record.get("verification") or {}


def _gate(record: Record) -> Mapping[str, Any]:
    return _verdict(record).get("uncertainty") or {}


def _beginning(text: str | None) -> str | None:
    return None if text is None else text[:MAX_TEXT_CHARACTERS]


def _question(record: Record) -> str | None:
    asked = record.get("asked")
    return None if asked is None else _beginning(asked["question"])


def _value_and_threshold(row: RunSummary) -> Sequence[StyledText]:
    if row.value is None or row.threshold is None:
        return []
    return [(f"{row.value:.2f} / {row.threshold:.2f}", "")]


def _answer_and_mark(row: RunSummary) -> Sequence[StyledText]:
    answer = (row.answer or "", "")
    if row.correct is None:
        return [answer]
    return [answer, ("✓", "green") if row.correct else ("✗", "red")]


def _column(compute: Callable[[Record], Any] | None, heading: str, **listing: Any) -> Any:
    return field(metadata={"column": partial(RunColumn, compute=compute, heading=heading, **listing)})


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in a list of runs. The list shows the columns in the order of these fields."""

    run_id: str = _column(
        lambda record: record["run_id"],
        "run",
        cell=lambda row: [(row.run_id[:SHORT_ID_CHARACTERS], "")],
        default=True,
    )
    started_at: float = _column(
        lambda record: record["started_at"],
        "started",
        cell=lambda row: [(f"{datetime.fromtimestamp(row.started_at):%m-%d %H:%M}", "")],
        default=True,
    )
    """Seconds since the epoch."""
    ending: str = _column(
        lambda record: record["ending"],
        "ending",
        cell=lambda row: [(row.ending, ENDING_STYLES.get(row.ending, OTHER_ENDING_STYLE))],
        default=True,
    )
    route: str | None = _column(lambda record: _verdict(record).get("route"), "route", default=True)
    value: float | None = _column(
        lambda record: _gate(record).get("value"),
        "value",
        cell=_value_and_threshold,
        default=True,
        align_right=True,
    )
    completion_tokens: int = _column(completion_tokens, "tokens", default=True, align_right=True)
    ms: float = _column(
        lambda record: record["ms"],
        "ms",
        cell=lambda row: [(f"{row.ms:,.0f}", "")],
        default=True,
        align_right=True,
    )
    answer: str | None = _column(
        lambda record: _beginning(_verdict(record).get("answer")),
        "answer",
        cell=_answer_and_mark,
        default=True,
        wraps=True,
    )
    """Its beginning."""
    question: str | None = _column(
        lambda record: _beginning(asked["question"] if (asked := record.get("asked")) else None),
        "question",
        cell=lambda row: [(row.question or "", "dim")],
        default=True,
        wraps=True,
    )
    """Its beginning."""
    correct: bool | None = _column(lambda record: _verdict(record).get("correct"), "correct")
    measure: str | None = _column(lambda record: _gate(record).get("measure"), "measure")
    threshold: float | None = _column(lambda record: _gate(record).get("threshold"), "threshold", align_right=True)
    margin: float | None = _column(lambda record: record.get("margin"), "margin", align_right=True)
    task: str = _column(lambda record: record["task"], "task")
    model: str = _column(lambda record: record["model"], "model")
    level: str = _column(lambda record: record["level"], "level")
    bytes: int = _column(None, "bytes", align_right=True)
    """The size of the full record."""


def _columns() -> tuple[RunColumn, ...]:
    hints = get_type_hints(RunSummary)
    found = []
    for each in fields(RunSummary):
        kinds = get_args(hints[each.name]) or (hints[each.name],)
        [kind] = (kind for kind in kinds if kind is not NoneType)
        found.append(each.metadata["column"](name=each.name, kind=kind, optional=NoneType in kinds))
    return tuple(found)


COLUMNS = _columns()
_COMPUTED = [(column.compute, column.kind, column.optional) for column in COLUMNS]  # unpacked for speed
COLUMN_NAMES = tuple(column.name for column in COLUMNS)
column_values = attrgetter(*COLUMN_NAMES)
"""All values of a summary, in the order of `COLUMN_NAMES`."""


def summary_of(record: Record, n_bytes: int) -> RunSummary:
    """Summarize a record that takes `n_bytes` in the store.

    Text that a database cannot hold is escaped, and numbers that are not finite become None.

    Raises:
        KeyError: It is not a record.
    """
    values: list[Any] = [
        n_bytes if compute is None else _computed(compute, kind, optional, record)
        for compute, kind, optional in _COMPUTED
    ]
    return RunSummary(*values)


def _computed(compute: Callable[[Record], Any], kind: type[Any], optional: bool, record: Record) -> Any:
    try:
        value = compute(record)
        if kind is str:
            return value if value is None else storable(value)
        if kind is float:
            return _finite(value, optional=optional)
        return value
    except (LookupError, TypeError, AttributeError):
        if optional:
            return None
        raise


def storable(text: str) -> str:
    """Escape unpaired surrogates, which no encoding can represent."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _finite(value: float | None, *, optional: bool) -> float | None:
    if value is not None and math.isfinite(value):
        return value
    return None if optional else 0.0
