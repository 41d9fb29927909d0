"""The routes and differences of trained generators, on questions worked by hand."""

from typing import Any

import pytest
from generator_training import OnQuestion, ahead, error_of, mean_of, tables


def question(**changes: Any) -> OnQuestion:
    values: dict[str, Any] = {
        "certain": False,
        "never": False,
        "always": True,
        "first_path": True,
        "score": 0.9,
        "fast_tokens": 10,
        "path_tokens": 80,
    }
    return OnQuestion(**{**values, **changes})


CERTAIN, UNCERTAIN = question(certain=True), question(certain=False)


@pytest.mark.parametrize(
    ("each", "method", "right", "tokens"),
    [
        (CERTAIN, "never", False, 10),
        (CERTAIN, "always", True, 80),
        (CERTAIN, "gate", False, 10),
        (UNCERTAIN, "never", False, 10),
        (UNCERTAIN, "always", True, 80),
        (UNCERTAIN, "gate", True, 90),
    ],
)
def test_a_route_has_its_answer_and_its_tokens(each: OnQuestion, method: str, right: bool, tokens: int) -> None:
    assert (each.right(method), each.tokens(method)) == (right, tokens)


def test_seeds_are_averaged_before_arms_are_compared() -> None:
    one = [[question(always=True), question(always=True)], [question(always=True), question(always=False)]]
    other = [[question(always=False), question(always=True)]]
    assert mean_of(one, "right", "always").tolist() == [[1.0, 0.5]]
    difference = ahead(mean_of(one, "right", "always"), mean_of(other, "right", "always"))
    assert difference.value == pytest.approx(25.0)
    assert difference.low <= 25.0 <= difference.high


def test_the_calibration_error_is_the_mean_over_the_seeds() -> None:
    sure = [question(score=0.9, first_path=True), question(score=0.9, first_path=True), question(score=None)]
    wrong = [question(score=0.9, first_path=False), question(score=0.9, first_path=False), question(score=None)]
    assert error_of([sure, wrong]).value == pytest.approx((0.1 + 0.9) / 2)


def test_the_tables_have_each_arm_and_route() -> None:
    routes, paths = tables({"before": [[CERTAIN, UNCERTAIN]], "after": [[UNCERTAIN, UNCERTAIN]]})
    assert [row[:2] for row in routes.rows] == [
        [arm, method] for arm in ("before", "after") for method in ("never", "always", "gate")
    ]
    gate = routes.rows[5]
    assert (gate[2].split(" %")[0], gate[3].split(" ")[0], gate[4]) == ("100.0", "+50.0", "90.0")
    assert [row[0] for row in paths.rows] == ["before", "after"]
    assert paths.rows[0][5] == "50.0 %"
