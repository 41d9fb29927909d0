"""The watch on the share of direct questions: silent by chance, awake to a change."""

import math

import numpy as np
import pytest

from egrm_graph.calibration.rate_watch import FALSE_ALARM, RateWatch


def alarm(watch: RateWatch, direct: list[bool]) -> int | None:
    """After how many questions it told."""
    return next((i for i, each in enumerate(direct, start=1) if watch.saw(direct=each)), None)


def test_the_evidence_of_one_question_is_the_mixtures_half_over_its_share() -> None:
    # Under Beta(1/2, 1/2) one direct question has probability 1/2; the largest within the interval is 0.6.
    watch = RateWatch((0.4, 0.6), n=1, n_direct=1)
    assert watch.log_evidence() == pytest.approx(math.log(0.5 / 0.6))


def test_the_evidence_of_two_questions_is_worked_by_hand() -> None:
    # P(two direct) = E[p^2] = 3/8 under Beta(1/2, 1/2); 0.1^2 is the largest within the interval.
    assert RateWatch((0.0, 0.1), n=2, n_direct=2).log_evidence() == pytest.approx(math.log(0.375 / 0.01))


def test_it_tells_once() -> None:
    watch = RateWatch((0.7, 0.8))
    told = [watch.saw(direct=False) for _ in range(50)]
    assert sum(told) == 1
    # n lost in a row: C(2n, n) / 4^n over 0.3^n passes 1 / 0.005 at n = 6.
    assert told.index(True) == 5


@pytest.mark.parametrize("share", [0.7, 0.75, 0.8])
def test_a_share_in_the_interval_raises_no_more_false_alarms_than_stated(share: float) -> None:
    rng = np.random.default_rng(1)
    alarms = [alarm(RateWatch((0.7, 0.8)), (rng.random(1000) < share).tolist()) for _ in range(200)]
    assert sum(each is not None for each in alarms) <= 200 * FALSE_ALARM + 4


@pytest.mark.parametrize(("share", "within"), [(0.5, 200), (0.95, 200)])
def test_a_share_that_departed_is_told_soon(share: float, within: int) -> None:
    rng = np.random.default_rng(1)
    alarms = [alarm(RateWatch((0.7, 0.8)), (rng.random(within) < share).tolist()) for _ in range(20)]
    assert None not in alarms


def test_an_interval_that_ends_at_one_is_left_by_the_first_question_outside() -> None:
    assert RateWatch((1.0, 1.0)).saw(direct=False)
