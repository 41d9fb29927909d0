"""Replays of small logs compared with hand calculations."""

import math

import pytest

from egrm_graph.replay.answer_log import LoggedQuestion
from egrm_graph.replay.answer_table import table_of
from egrm_graph.replay.curves import Curve, replay
from egrm_graph.uncertainty.measures import MEASURES
from tests.replay.logs import question

LOG = [
    question(1, "7777", "7788", tokens=(1, 10)),  # certain and right
    question(2, "7777", "8888", tokens=(1, 20)),  # certain and right, where reasoning is wrong
    question(3, "8877", "7777", tokens=(1, 30)),  # split and wrong, where reasoning is right
    question(4, "8877", "9999", tokens=(1, 40)),  # split and wrong, both
]


def curve(log: list[LoggedQuestion], measure: str = "consensus", m: int = 4) -> Curve:
    (found,) = replay(table_of(log), [MEASURES[measure]], [m])
    return found


def test_points_range_from_always_to_never_reasoning() -> None:
    points = curve(LOG).points
    assert [point.threshold for point in points] == [None, 1.0, 0.5]
    assert [point.reasoned for point in points] == [1.0, 0.5, 0.0]
    assert [point.accuracy.value for point in points] == [0.5, 0.75, 0.5]
    assert [point.tokens for point in points] == [104, 74, 4]
    assert [point.random for point in points] == [0.5, 0.5, 0.5]
    assert [point.oracle for point in points] == [0.5, 0.75, 0.5]


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_a_gate_that_never_reasons_has_a_share_of_exactly_zero(m: int) -> None:
    """The share of questions is a sum of many fractions, which can come out just above one."""
    found = curve([question(i, ("777788", "778899", "888777")[i % 3]) for i in range(30)], m=m)
    assert all(0 <= point.reasoned <= 1 for point in found.points)
    assert f"{found.points[-1].reasoned:.1%}" == "0.0%"


def test_certainty_ranks_the_answers() -> None:
    found = curve(LOG)
    assert (found.auroc.value, found.aurc_random, found.drawn) == (1.0, 0.5, 1)
    assert found.aurc.value == pytest.approx(found.aurc_oracle) == pytest.approx(0.5 - math.log(2) / 2)
    assert found.risk_coverage == ((0.5, 0.0), (1.0, 0.5))


def test_the_default_point_is_the_loosest_within_the_measures_threshold() -> None:
    assert (curve(LOG).published.threshold, curve(LOG, "vote_entropy").published.threshold) == (1.0, 0.0)
    never = curve([question(1, "8877"), question(2, "7788")])
    assert never.published == never.points[0]


def test_fewer_answers_are_drawn_in_every_combination() -> None:
    # Of 7, 7, 8 every pair: 77 certain and right; 78 split, twice, and right by the answer drawn first.
    found = curve([question(1, "778", "9")], m=2)
    assert found.drawn == 3
    assert [coverage for coverage, _ in found.risk_coverage] == pytest.approx([1 / 3, 1])
    assert [risk for _, risk in found.risk_coverage] == [0, 0]


def test_no_gate_opens_without_a_readable_answer() -> None:
    found = curve([question(1, "7777"), question(2, "----", "7")])
    assert [point.reasoned for point in found.points] == [1.0, 0.5]
    assert found.risk_coverage == ((0.5, 0.0), (1.0, 0.5))


@pytest.mark.parametrize(("fast", "paths", "right"), [("8888", "9999", 0.0), ("7777", "7777", 1.0)])
def test_equal_answers_cannot_be_ranked(fast: str, paths: str, right: float) -> None:
    found = curve([question(i, fast, paths) for i in range(5)])
    assert math.isnan(found.auroc.value)
    assert found.published.accuracy.value == right
    assert found.aurc.value == found.aurc_oracle == 1 - right


def test_intervals_contain_the_value() -> None:
    found = curve([*LOG, *(question(10 + i, "7778" if i % 3 else "8887") for i in range(40))])
    for estimate in (found.auroc, found.aurc, *(point.accuracy for point in found.points)):
        assert estimate.low <= estimate.value <= estimate.high
