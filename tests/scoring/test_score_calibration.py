"""Temperatures and calibration errors, against numbers worked by hand."""

from __future__ import annotations

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.errors import InputError
from egrm_graph.scoring.score_calibration import (
    bins_of_equal_mass,
    bins_of_equal_width,
    brier_score,
    calibration_error,
    fit_temperature,
    sigmoid,
)


async def test_an_overconfident_scorer_has_a_temperature_above_1() -> None:
    # At logit 2 log 3, three of four are right. sigmoid(2 log 3 / T) is 3/4 if the logit over T is log 3, so T = 2.
    assert fit_temperature([2 * log(3)] * 4, [1, 1, 1, 0]) == pytest.approx(2)


async def test_an_underconfident_scorer_has_a_temperature_below_1() -> None:
    # At logits of plus or minus log(9) / 4, nine of ten are on the right side: odds 9, T = 1/4.
    logits = [log(9) / 4] * 10 + [-log(9) / 4] * 10
    assert fit_temperature(logits, [*[1.0] * 9, 0, *[0.0] * 9, 1]) == pytest.approx(0.25)


async def test_targets_between_0_and_1_count_as_shares() -> None:
    # A target of 0.8 at logit log 2: odds of 4 are twice log 2, so T = 1/2.
    assert fit_temperature([log(2), log(2)], [0.8, 0.8]) == pytest.approx(0.5)


async def test_calibrated_logits_have_temperature_1() -> None:
    # odds 1/3: one of four right; odds 4: four of five right
    logits = [-log(3)] * 4 + [log(4)] * 5
    assert fit_temperature(logits, [1, 0, 0, 0, 1, 1, 1, 1, 0]) == pytest.approx(1)


@given(st.floats(0.05, 20), st.floats(0.5, 2))
def test_temperature_scales_with_the_logits(scale: float, size: float) -> None:
    logits, targets = [size, size, size, -size], [1.0, 1.0, 0.0, 0.0]
    found = fit_temperature([scale * logit for logit in logits], targets)
    assert found == pytest.approx(scale * fit_temperature(logits, targets), rel=1e-6)


@pytest.mark.parametrize(
    ("logits", "targets", "reason"),
    [
        ([], [], "no held-out path is right"),
        ([1.0, -1.0], [0, 0], "no held-out path is right"),
        ([1.0, -1.0], [1, 1], "no held-out path is wrong"),
        ([1.0, -1.0], [1, 0], "no held-out path is on the wrong side"),  # a lower temperature is always better
        ([1.0, -1.0], [0, 1], "higher logits do not go with better paths"),
        ([0.0, 0.0], [0, 1], "higher logits do not go with better paths"),  # all temperatures are equal
        ([float("nan"), 1.0], [0, 1], "a logit that is not a number"),
        ([float("inf"), 1.0], [0, 1], "a logit that is not a number"),
    ],
)
async def test_if_no_temperature_is_best_the_error_says_why(
    logits: list[float], targets: list[float], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        fit_temperature(logits, targets)


async def test_large_logits_are_fitted_up_to_a_bound() -> None:
    # Like the first test with logits 500 times as large: T is 1,000, which is over the bound.
    with pytest.raises(InputError, match="no temperature calibrates them"):
        fit_temperature([1000 * log(3)] * 4, [1, 1, 1, 0])
    assert fit_temperature([90 * log(3)] * 4, [1, 1, 1, 0]) == pytest.approx(90)


def about(*bins: tuple[int, float, float]) -> object:
    return [pytest.approx(part) for part in bins]


async def test_bins_of_equal_width_group_paths_by_score() -> None:
    found = bins_of_equal_width([0.0, 0.05, 0.1, 0.95, 1.0], [0, 1, 0, 1, 1], bins=10)
    assert found == about((2, 0.025, 0.5), (1, 0.1, 0.0), (2, 0.975, 1.0))


async def test_bins_of_equal_mass_have_equal_sizes_but_never_split_equal_scores() -> None:
    found = bins_of_equal_mass([0.4, 0.1, 0.2, 0.3], [1, 0, 0, 1], bins=2)
    assert found == about((2, 0.15, 0.0), (2, 0.35, 1.0))
    tied = bins_of_equal_mass([0.3, 0.3, 0.3, 0.9], [1, 0, 0, 1], bins=2)
    assert tied == about((4, 0.45, 0.5))


async def test_the_calibration_error_weights_bins_by_their_paths() -> None:
    # two of three paths at 0.9 are right: |0.9 - 2/3|; the path at 0.2 is wrong: 0.2
    bins = bins_of_equal_width([0.9, 0.9, 0.9, 0.2], [1, 1, 0, 0])
    assert calibration_error(bins) == pytest.approx((3 * (0.9 - 2 / 3) + 0.2) / 4)


async def test_errors_within_a_bin_cancel_out() -> None:
    assert calibration_error(bins_of_equal_width([0.5, 0.5], [0, 1])) == 0


async def test_the_brier_score_is_the_mean_squared_distance() -> None:
    assert brier_score([0.8, 0.3], [1, 0]) == pytest.approx((0.04 + 0.09) / 2)


async def test_sigmoid_never_overflows() -> None:
    assert (sigmoid(-1e4), sigmoid(0), sigmoid(1e4)) == (0, 0.5, 1)
    assert sigmoid(log(3)) == pytest.approx(0.75)
    assert sigmoid(-2) == pytest.approx(1 / (1 + exp(2)))
