import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cityblock
from scipy.stats import entropy

from egrm_graph.uncertainty.agreement import certaindex, consensus, order_disagreement, vote_entropy
from egrm_graph.uncertainty.measures import MEASURES
from tests.uncertainty.drawn import drew, read, reading, sample, votes

ANSWERS = st.lists(st.sampled_from(["1", "2", "3", None]), min_size=2, max_size=12)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (("7", "7", "7", "7", "7"), 1.0),
        (("7", "7", "7", "7", "8"), 0.8),
        (("7", "7", "7", "7", None), 0.8),
        (("7", "7", "7", None, None), 0.6),
        ((None, None), 0.0),
    ],
)
def test_consensus_keeps_lost_voters_in_the_denominator(answers: tuple[str | None, ...], expected: float) -> None:
    assert consensus(votes(*answers)) == expected


@pytest.mark.parametrize("name", ["consensus", "vote_entropy", "certaindex"])
def test_four_of_five_votes_are_certain_and_three_of_five_are_not(name: str) -> None:
    measure = MEASURES[name]
    assert measure.certain(measure.value(votes("7", "7", "7", "7", "8")), measure.threshold)
    assert not measure.certain(measure.value(votes("7", "7", "7", "8", "8")), measure.threshold)


def test_a_single_voter_is_certain_unless_lost() -> None:
    assert (vote_entropy(votes("7")), certaindex(votes("7"))) == (0, 1)
    assert (vote_entropy(votes(None)), certaindex(votes(None))) == (1, 0)


@given(ANSWERS)
def test_vote_entropy_is_scipys_entropy_over_the_maximum(answers: list[str | None]) -> None:
    counted = votes(*answers)
    counts = [*counted.votes.counts, *[1] * counted.votes.lost]
    assert vote_entropy(counted) == pytest.approx(entropy(counts) / math.log(len(answers)))


def test_a_single_even_reading_is_not_certain() -> None:
    even = read(reading("AB", {"A": 1 / 3, "B": 1 / 3, "tie": 1 / 3}, samples=1))
    assert vote_entropy(even) == pytest.approx(1)


def test_certaindex_of_two_pairs_is_one_half() -> None:
    assert certaindex(votes("7", "7", "8", "8")) == pytest.approx((math.log(4) - math.log(2)) / math.log(4))


def test_order_disagreement_is_the_share_of_votes_that_would_have_to_change() -> None:
    one = [sample("A", order="AB"), sample("A", order="AB"), sample("A", order="AB"), sample("B", order="AB")]
    other = [sample("A", order="BA"), sample("B", order="BA"), sample("B", order="BA"), sample("B", order="BA")]
    assert order_disagreement(drew(*one, *other)) == pytest.approx(0.5)


def test_a_lost_voter_agrees_with_no_other_order() -> None:
    half_lost = drew(
        sample("A", order="AB"), sample(None, order="AB"), sample("A", order="BA"), sample("A", order="BA")
    )
    assert order_disagreement(half_lost) == pytest.approx(0.5)
    assert order_disagreement(read(reading("AB", {"A": 1.0}), reading("BA", None))) == 1


def test_three_orders_use_the_mean_over_all_pairs() -> None:
    evidence = drew(sample("A", order="ABC"), sample("A", order="BCA"), sample("B", order="CAB"))
    assert order_disagreement(evidence) == pytest.approx(2 / 3)


@pytest.mark.parametrize("evidence", [votes("7", "8"), drew(sample("A", order="AB"), sample("B", order="AB"))])
def test_order_disagreement_needs_two_orders(evidence: object) -> None:
    assert math.isnan(order_disagreement(evidence))  # type: ignore[arg-type]


@given(*[st.lists(st.floats(0.01, 1), min_size=3, max_size=3)] * 2)
def test_the_disagreement_of_two_readings_is_half_scipys_cityblock_distance(
    one: list[float], other: list[float]
) -> None:
    shares = [[value / sum(values) for value in values] for values in (one, other)]
    readings = [
        reading(order, dict(zip("ABt", values, strict=True)))
        for order, values in zip(("AB", "BA"), shares, strict=True)
    ]
    assert order_disagreement(read(*readings)) == pytest.approx(cityblock(*shares) / 2, abs=1e-12)
