"""Calibrating what the scores of steps add up to."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.errors import InputError
from egrm_graph.scoring.aggregate_calibration import calibrate_aggregate, fit_sigmoid
from egrm_graph.scoring.score_calibration import sigmoid


def test_two_groups_are_fitted_exactly() -> None:
    # Of the paths at logit 0, 1 of 4 is right; at ln 3, 3 of 4. Platt's targets are 5/6 and 1/6, so the two groups have
    # the means 1/3 and 2/3: sigmoid(b) = 1/3 and sigmoid(a ln 3 + b) = 2/3, so b = -ln 2 and a = 2 ln 2 / ln 3.
    scores = [0.5] * 4 + [0.75] * 4
    targets = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    assert fit_sigmoid(scores, targets) == pytest.approx((2 * math.log(2) / math.log(3), -math.log(2)), abs=1e-6)


def test_calibrated_scores_do_not_change() -> None:
    rng = random.Random(0)
    scores = [rng.random() for _ in range(20_000)]
    targets = [float(rng.random() < score) for score in scores]
    assert fit_sigmoid(scores, targets) == pytest.approx((1.0, 0.0), abs=0.05)


def test_a_squared_probability_is_corrected_on_questions_that_it_was_not_fitted_on() -> None:
    rng = random.Random(1)
    truth = [[sigmoid(rng.gauss(1, 2)) for _ in range(4)] for _ in range(2000)]
    targets = [[float(rng.random() < p) for p in own] for own in truth]
    found = calibrate_aggregate(";", "product", [[p * p for p in own] for own in truth], targets)
    assert (found.questions, found.paths, found.steps, found.aggregation) == (2000, 8000, ";", "product")
    assert found.ece_before > 0.1
    assert found.ece_after < 0.03
    assert found.brier_after < found.brier_before
    for p in (0.2, 0.5, 0.9):
        assert found.probability(p * p) == pytest.approx(p, abs=0.05)


def test_scores_of_0_and_1_have_probabilities_between_them() -> None:
    found = calibrate_aggregate(";", "product", [[0.0, 1.0], [0.0, 1.0, 0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    assert 0 < found.probability(0.0) < found.probability(1.0) < 1


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_order_of_paths_stays_the_same(one: float, other: float) -> None:
    found = calibrate_aggregate(";", "product", [[0.2, 0.9, 0.4]] * 2, [[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    if one <= other:
        assert found.probability(one) <= found.probability(other)


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ([], [], "needs paths that are right and paths that are wrong"),
        ([0.5, 0.6], [1.0, 1.0], "needs paths that are right and paths that are wrong"),
        ([0.5, 0.5], [1.0, 0.0], "all paths have the same score"),
        ([0.9, 0.8, 0.2, 0.1], [0.0, 1.0, 0.0, 1.0], "higher scores do not go with better paths"),
    ],
)
def test_what_cannot_be_calibrated_is_an_error(scores: list[float], targets: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_sigmoid(scores, targets)
