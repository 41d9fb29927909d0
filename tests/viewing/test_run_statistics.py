from dataclasses import replace
from datetime import datetime

import pytest

from egrm_graph.tracing.run_summary import summary_of
from egrm_graph.viewing.run_statistics import periods
from tests.tracing.records import record, verification

NOON = datetime(2026, 3, 1, 12).timestamp()
ROW = summary_of(record(started_at=NOON), 100)


def test_a_period_has_the_shares_and_means_of_its_runs() -> None:
    rows = [
        replace(ROW, ms=float(10 * i), correct=i < 9, route="direct" if i < 6 else "reasoned", completion_tokens=10 * i)
        for i in range(10)
    ]
    [found] = periods([*rows, replace(ROW, ending="failed", route=None, correct=None, ms=1000.0)], "day")
    assert (found.name, found.runs, found.endings) == ("2026-03-01", 11, {"failed": 1, "ok": 10})
    assert found.tokens == {"direct": 25.0, "reasoned": 75.0}  # (0 + ... + 50) / 6 and (60 + ... + 90) / 4
    assert (found.p50_ms, found.p95_ms) == (50.0, 545.0)  # halfway between 90 and 1000
    assert found.reasoned is not None
    assert found.accuracy is not None
    assert (found.reasoned.value, found.accuracy.value, found.with_reference) == (0.4, 0.9, 10)
    # Wilson's interval of 9 in 10, as it is tabulated
    assert [found.accuracy.low, found.accuracy.high] == pytest.approx([0.5958, 0.9821], abs=1e-4)


def test_periods_are_days_or_hours_oldest_first() -> None:
    rows = [replace(ROW, started_at=NOON + 3600 * hours) for hours in (30, 2, 1.5, 0)]
    assert [(found.name, found.runs) for found in periods(rows, "day")] == [("2026-03-01", 3), ("2026-03-02", 1)]
    assert [(found.name, found.runs) for found in periods(rows, "hour")] == [
        ("2026-03-01 12:00", 1),
        ("2026-03-01 13:00", 1),
        ("2026-03-01 14:00", 1),
        ("2026-03-02 18:00", 1),
    ]
    assert [(found.name, found.runs) for found in periods(rows, "all")] == [("all", 4)]


def test_statistics_without_data_are_none() -> None:
    unknown = replace(summary_of(record(verification=verification(correct=None)), 100), route=None)
    [found] = periods([unknown], "all")
    assert (found.reasoned, found.tokens, found.accuracy, found.with_reference) == (None, {}, None, 0)


def test_without_runs_there_are_no_periods() -> None:
    assert periods([], "day") == []
