import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.stats import entropy

from egrm_graph.uncertainty.confidence import (
    deepconf_consensus,
    deepconf_lowest,
    deepconf_mean,
    deepconf_tail,
    lowest_group_confidence,
    self_certainty,
    tail_confidence,
    text_self_certainty,
)
from tests.uncertainty.drawn import drew, sample, votes

TOPS = st.lists(st.lists(st.floats(-15, 5), min_size=3, max_size=3), min_size=1, max_size=12).map(
    lambda rows: [log_softmax(row).tolist() for row in rows]
)
MEANS = [self_certainty, deepconf_mean, deepconf_tail, deepconf_lowest]


def conf(*values: float) -> list[list[float]]:
    """Tokens with these confidences."""
    return [[-value] for value in values]


def test_confidence_is_the_negative_mean_log_probability_of_the_top_k() -> None:
    assert deepconf_mean(drew(sample("7", [[-0.5, -1.5], [-1.0, -4.0]]))) == pytest.approx((1.0 + 2.5) / 2)


def test_the_tail_is_the_last_three_tokens() -> None:
    assert deepconf_tail(drew(sample("7", conf(9, 9, 1, 2, 6)))) == 3


def test_the_lowest_group_is_the_worst_three_adjacent_tokens() -> None:
    assert deepconf_lowest(drew(sample("7", conf(9, 1, 1, 4, 5, 9, 9)))) == 2


@given(TOPS, st.integers(1, 6))
def test_groups_are_numpys_sliding_windows(tops: list[list[float]], tokens: int) -> None:
    confidences = -np.array(tops).mean(axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(confidences, min(tokens, len(confidences)))
    assert lowest_group_confidence(tops, tokens) == pytest.approx(windows.mean(axis=1).min())
    assert tail_confidence(tops, tokens) == pytest.approx(windows[-1].mean())


@given(TOPS)
def test_self_certainty_over_the_full_vocabulary_is_scipys_divergence(tops: list[list[float]]) -> None:
    expected = np.mean([entropy([1 / 3] * 3, np.exp(top)) for top in tops])
    assert text_self_certainty(tops) == pytest.approx(expected, abs=1e-9)


def test_listed_probabilities_are_normalized() -> None:
    listed = sample("7", [[math.log(0.4), math.log(0.1)]])
    assert self_certainty(drew(listed)) == pytest.approx(entropy([0.5, 0.5], [0.8, 0.2]))


@pytest.mark.parametrize("measure", MEANS)
def test_a_lost_voter_adds_nothing_and_stays_in_the_denominator(measure: object) -> None:
    good = sample("7", [[-0.1, -3.0]])
    value = measure(drew(good))  # type: ignore[operator]
    assert value > 0
    lost = drew(good, sample(None, [[-0.1, -3.0]]), sample("7"), sample("7", []))
    assert measure(lost) == pytest.approx(value / 4)  # type: ignore[operator]


@pytest.mark.parametrize("measure", [*MEANS, deepconf_consensus])
def test_without_voters_there_is_no_confidence(measure: object) -> None:
    assert math.isnan(measure(votes("7", "7", None)))  # type: ignore[operator]


@pytest.mark.parametrize("measure", MEANS)
def test_impossible_tokens_raise_certainty_but_keep_it_finite(measure: object) -> None:
    sure = measure(drew(sample("7", [[0.0, -math.inf, -9999.0]])))  # type: ignore[operator]
    unsure = measure(drew(sample("7", [[-0.2, -2.4, -2.4]])))  # type: ignore[operator]
    assert unsure < sure < math.inf


def test_votes_are_weighted_by_their_confidence() -> None:
    evidence = drew(sample("7", conf(3)), sample("7", conf(3)), sample("8", conf(2)))
    assert deepconf_consensus(evidence) == pytest.approx(6 / 8)


def test_lost_voters_lower_the_weighted_consensus() -> None:
    evidence = drew(sample("7", conf(3)), sample("7", conf(1)), sample("7"), sample(None, conf(5)))
    assert deepconf_consensus(evidence) == pytest.approx(0.5)


def test_a_tie_has_the_smaller_share_in_any_order() -> None:
    one, other = sample("7", conf(9)), sample("8", conf(1))
    assert deepconf_consensus(drew(one, other)) == deepconf_consensus(drew(other, one)) == pytest.approx(0.1)


def test_votes_with_zero_confidence_have_no_consensus() -> None:
    assert math.isnan(deepconf_consensus(drew(sample("7", conf(0)))))
