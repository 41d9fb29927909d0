"""The watch on the share of direct runs: it ignores chance and reports a change."""

import math

import numpy as np
import pytest

from egrm_graph.calibration.rate_watch import FALSE_ALARM, RateWatch


def alarm(watch: RateWatch, direct: list[bool]) -> int | None:
    """The number of questions until the alarm."""
    return next((i for i, is_direct in enumerate(direct, start=1) if watch.saw(direct=is_direct)), None)


def test_the_evidence_of_one_question_matches_the_formula() -> None:
    # Under Beta(1/2, 1/2) one direct question has probability 1/2; the largest within the interval is 0.6.
    watch = RateWatch((0.4, 0.6), n=1, n_direct=1)
    assert watch.log_evidence() == pytest.approx(math.log(0.5 / 0.6))


def test_the_evidence_of_two_questions_matches_the_formula() -> None:
    # P(two direct) = E[p^2] = 3/8 under Beta(1/2, 1/2); 0.1^2 is the largest within the interval.
    assert RateWatch((0.0, 0.1), n=2, n_direct=2).log_evidence() == pytest.approx(math.log(0.375 / 0.01))


def test_it_raises_one_alarm() -> None:
    watch = RateWatch((0.7, 0.8))
    alarms = [watch.saw(direct=False) for _ in range(50)]
    assert sum(alarms) == 1
    # n lost in a row: C(2n, n) / 4^n over 0.3^n passes 1 / 0.005 at n = 6.
    assert alarms.index(True) == 5


@pytest.mark.parametrize("share", [0.7, 0.75, 0.8])
def test_false_alarms_are_as_rare_as_stated(share: float) -> None:
    rng = np.random.default_rng(1)
    alarms = [alarm(RateWatch((0.7, 0.8)), (rng.random(1000) < share).tolist()) for _ in range(200)]
    assert sum(n is not None for n in alarms) <= 200 * FALSE_ALARM + 4


@pytest.mark.parametrize(("share", "within"), [(0.5, 200), (0.95, 200)])
def test_a_changed_share_raises_an_alarm_soon(share: float, within: int) -> None:
    rng = np.random.default_rng(1)
    alarms = [alarm(RateWatch((0.7, 0.8)), (rng.random(within) < share).tolist()) for _ in range(20)]
    assert None not in alarms


def test_one_reasoned_run_raises_an_alarm_if_all_runs_should_be_direct() -> None:
    assert RateWatch((1.0, 1.0)).saw(direct=False)
