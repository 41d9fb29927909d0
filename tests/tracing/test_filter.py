import time
from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from egrm_graph.tracing.filter import Filter, moment
from egrm_graph.tracing.run_summary import summary_of
from tests.tracing.records import STARTED, record

ROW = summary_of(record(), 100)  # reasoned, ok, consensus 0.6 of 0.8, right, 116 tokens, 131 ms


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({}, True),
        ({"route": "reasoned"}, True),
        ({"route": "direct"}, False),
        ({"ending": "ok"}, True),
        ({"ending": "failed"}, False),
        ({"task": "arithmetic", "model": "egrm-tiny", "measure": "consensus"}, True),
        ({"task": "arithmetic", "model": "another"}, False),
        ({"since": STARTED}, True),
        ({"since": STARTED + 1}, False),
        ({"until": STARTED}, False),
        ({"until": STARTED + 1}, True),
        ({"uncertainty": "0.6..0.6"}, True),
        ({"uncertainty": "..0.5"}, False),
        ({"uncertainty": "0.7.."}, False),
        ({"min_tokens": 116}, True),
        ({"min_tokens": 117}, False),
        ({"min_ms": 131}, True),
        ({"min_ms": 131.5}, False),
        ({"right": True}, True),
        ({"wrong": True}, False),
        ({"where": ("level=full", "margin<0", "correct=yes")}, True),
        ({"where": ("level=full", "margin>=0")}, False),
        ({"where": ("answer != 42",)}, False),
    ],
)
def test_a_run_must_meet_every_condition(fields: dict[str, Any], matches: bool) -> None:
    assert Filter(**fields).matches(ROW) is matches


@pytest.mark.parametrize("fields", [{"route": "direct"}, {"uncertainty": "..1"}, {"wrong": True}, {"right": True}])
def test_a_run_without_a_verdict_meets_no_condition_on_it(fields: dict[str, Any]) -> None:
    assert not Filter(**fields).matches(summary_of(record(verification=None, ending="failed", margin=None), 100))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"route": "left"}, "'direct' or 'reasoned'"),
        ({"since": "yesterday"}, "give a date"),
        ({"uncertainty": "0.5"}, "give a range such as 0.2..0.6"),
        ({"uncertainty": "a..b"}, "valid number"),
        ({"right": True, "wrong": True}, "cannot be both right and wrong"),
        ({"min_ms": -1}, "greater than or equal to 0"),
        ({"where": ("level",)}, "give a column, a comparison, and a value"),
        ({"where": ("mood=good",)}, "'mood' is not a column; choose from run_id, started_at, "),
        ({"where": ("ms>slow",)}, "the column 'ms' takes a value of type float, not 'slow'"),
        ({"where": ("correct=1",)}, "the column 'correct' takes yes or no, not '1'"),
    ],
)
def test_invalid_conditions_are_errors(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Filter(**fields)


def test_a_moment_is_a_date_a_time_or_an_age() -> None:
    assert moment("2026-03-01") == datetime(2026, 3, 1).timestamp()
    assert moment("2026-03-01T14:30:00+00:00") == 1772375400.0
    assert moment("2h") == pytest.approx(time.time() - 7200, abs=5)
    assert moment("1.5d") == pytest.approx(time.time() - 129_600, abs=5)
