"""Ranking metrics compared with hand calculations and independent implementations."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import mannwhitneyu

from egrm_graph.replay.certainty_levels import accuracies, aurc, auroc, oracle_accuracy, oracle_aurc

COUNTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=6)


def test_auroc_of_two_levels_matches_a_hand_calculation() -> None:
    # Three right and one wrong above, one right and three wrong below: 3*3 ordered, 3*1 + 1*3 tied, of 16 pairs.
    assert auroc(np.array([4.0, 4.0]), np.array([1.0, 3.0])) == pytest.approx((9 + 6 / 2) / 16)


@given(COUNTS.filter(lambda counts: sum(r for r, _ in counts) > 0 and sum(w for _, w in counts) > 0))
def test_auroc_is_the_mann_whitney_statistic(counts: list[tuple[int, int]]) -> None:
    right = [-level for level, (n, _) in enumerate(counts) for _ in range(n)]
    wrong = [-level for level, (_, n) in enumerate(counts) for _ in range(n)]
    expected = mannwhitneyu(right, wrong).statistic / (len(right) * len(wrong))
    mass = np.array([r + w for r, w in counts], float)
    assert auroc(mass, np.array([w for _, w in counts], float)) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [0.0, 4.0])
def test_auroc_is_undefined_if_all_answers_are_right_or_all_are_wrong(wrong: float) -> None:
    assert math.isnan(auroc(np.array([4.0]), np.array([wrong])))


def test_aurc_of_two_levels_matches_a_hand_calculation() -> None:
    # Half of all without a wrong one, then half all wrong: risk (c - 1/2) / c from 1/2 on; area 1/2 - log(2) / 2.
    assert aurc(np.array([5.0, 5.0]), np.array([0.0, 5.0])) == pytest.approx(0.5 - math.log(2) / 2)
    assert oracle_aurc(0.5) == pytest.approx(0.5 - math.log(2) / 2)


@given(COUNTS.filter(lambda counts: sum(r + w for r, w in counts) > 0))
def test_aurc_is_the_integral_of_the_risk(counts: list[tuple[int, int]]) -> None:
    mass = np.array([r + w for r, w in counts], float)
    wrong = np.array([w for _, w in counts], float)
    edges, mistakes = [0, *(mass.cumsum() / mass.sum())], [0, *(wrong.cumsum() / mass.sum())]
    expected = sum(
        quad(lambda c: float(np.interp(c, edges, mistakes)) / c, low, high)[0]
        for low, high in pairwise(edges)
        if high > low
    )
    assert aurc(mass, wrong) == pytest.approx(expected, abs=1e-6)
    assert aurc(mass, wrong) >= oracle_aurc(wrong.sum() / mass.sum()) - 1e-9


def test_the_area_of_a_random_order_is_the_error_rate() -> None:
    assert aurc(np.array([8.0]), np.array([2.0])) == 0.25


@pytest.mark.parametrize(("error", "area"), [(0.0, 0.0), (1.0, 1.0)])
def test_the_oracles_area_at_the_extremes(error: float, area: float) -> None:
    assert oracle_aurc(error) == area


def test_batched_metrics_match_single_ones() -> None:
    mass, wrong = np.array([[4.0, 4.0], [5.0, 5.0]]), np.array([[1.0, 3.0], [0.0, 5.0]])
    for figure in (auroc, aurc):
        assert figure(mass, wrong).tolist() == [float(figure(m, w)) for m, w in zip(mass, wrong, strict=True)]


def test_accuracies_range_from_always_to_never_reasoning() -> None:
    # Ten questions: six certain, one of them wrong; four not, three wrong. Reasoning is right on 6 of 6 and 2 of 4.
    found = accuracies(np.array([6.0, 4.0]), np.array([1.0, 3.0]), np.array([6.0, 2.0]))
    assert found == pytest.approx([0.8, 0.7, 0.6])


def test_the_oracle_gate_orders_questions_by_what_only_one_route_gets_right() -> None:
    # Always 0.8, one in ten gained, two in ten lost.
    found = [oracle_accuracy(direct, 0.8, 0.1, 0.2) for direct in (0.0, 0.05, 0.1, 0.8, 1.0)]
    assert found == pytest.approx([0.8, 0.85, 0.9, 0.9, 0.7])
