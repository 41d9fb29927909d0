"""The arithmetic of the guarantee, against numbers worked by hand and where it is tight."""

import numpy as np
import pytest

from egrm_graph.calibration.certification import last_passed, p_value, questions_needed, upper_bound


def test_the_p_value_is_the_binomial_tail() -> None:
    # n = 10, target 0.5: (1 + 10 + 45) / 1024
    assert p_value(2, 10, 0.5) == pytest.approx(56 / 1024)
    assert p_value(0, 59, 0.05) == pytest.approx(0.95**59)


def test_59_questions_without_a_loss_certify_five_percent_and_58_do_not() -> None:
    assert questions_needed(0.05, 0.05) == 59
    assert last_passed(np.array([0]), 59, 0.05, 0.05) == 0
    assert last_passed(np.array([0]), 58, 0.05, 0.05) == -1


def test_the_sequence_ends_at_the_first_threshold_that_fails() -> None:
    # Of 10 at target 0.5, P(<= 1) = 11 / 1024 = 0.011 and P(<= 2) = 0.055.
    counts = np.array([[1, 1, 2, 0], [2, 0, 0, 0], [0, 0, 1, 1]])
    assert last_passed(counts, 10, 0.5, 0.05).tolist() == [1, -1, 3]


def test_the_number_of_questions_may_differ_by_threshold() -> None:
    assert last_passed(np.array([0, 0]), np.array([59, 58]), 0.05, 0.05) == 0
    assert last_passed(np.array([0]), np.array([0]), 0.05, 0.05) == -1


def test_the_upper_bound_is_the_largest_risk_that_the_losses_do_not_rule_out() -> None:
    assert upper_bound(0, 59, 0.05) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert p_value(2, 10, upper_bound(2, 10, 0.05)) == pytest.approx(0.05)
    assert upper_bound(5, 5, 0.05) == 1


def test_a_risk_just_over_the_target_passes_as_rarely_as_stated() -> None:
    """At a target of 5 %, up to 38 losses in 1,000 questions pass, which happens in 4.3 % of all sets."""
    losses = np.random.default_rng(0).binomial(1000, 0.05, size=(200_000, 1))
    passed = (last_passed(losses, 1000, 0.05 - 1e-9, 0.05) == 0).mean()
    assert passed == pytest.approx(0.0433, abs=0.002)


def test_many_thresholds_in_sequence_fail_no_more_often_than_one() -> None:
    """Each of ten nested thresholds loses another 1 % of the questions, so the sixth is the first over the target."""
    rng = np.random.default_rng(0)
    losses = rng.multinomial(500, [*[0.01] * 10, 0.9], size=50_000)[:, :10].cumsum(axis=1)
    last = last_passed(losses, 500, 0.0599, 0.05)
    assert (last >= 5).mean() <= 0.05
    assert (last >= 2).mean() > 0.5
