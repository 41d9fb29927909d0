"""The columns that runs are listed by."""

import math
from dataclasses import asdict

import pytest

from egrm_graph.tracing.run_summary import COLUMNS, summary_of
from tests.tracing.records import STARTED, record, verification


def test_a_summary_has_what_runs_are_listed_and_filtered_by() -> None:
    assert asdict(summary_of(record(), 100)) == {
        "run_id": "0123456789abcdef0123456789abcdef",
        "started_at": STARTED,
        "ending": "ok",
        "route": "reasoned",
        "value": 0.6,
        "completion_tokens": 116,
        "ms": 131.0,
        "answer": "42",
        "question": "17+25",
        "correct": True,
        "measure": "consensus",
        "threshold": 0.8,
        "margin": -0.2,
        "task": "arithmetic",
        "model": "egrm-tiny",
        "level": "full",
        "bytes": 100,
    }


def test_without_a_verdict_its_columns_are_none() -> None:
    row = summary_of(record(verification=None, ending="failed", asked=None, margin=None), 100)
    empty = {column.name for column in COLUMNS if getattr(row, column.name) is None}
    assert empty == {column.name for column in COLUMNS if column.optional}
    assert row.completion_tokens == 36  # 4 for each of five fast answers and of four paths


def test_what_cannot_be_computed_is_none_unless_the_column_needs_a_value() -> None:
    row = summary_of(record(margin=math.nan, ms=math.inf, verification=verification(uncertainty="lost", answer=7)), 100)
    assert (row.margin, row.ms, row.measure, row.answer) == (None, 0.0, None, None)
    broken = record()
    del broken["task"]  # type: ignore[misc]
    with pytest.raises(KeyError):
        summary_of(broken, 100)


def test_only_columns_of_the_first_version_need_a_value() -> None:
    """A database of an earlier version has no value to put into a new column."""
    first = {"run_id", "started_at", "ms", "ending", "level", "task", "model", "completion_tokens", "bytes"}
    assert {column.name for column in COLUMNS if not column.optional} == first
