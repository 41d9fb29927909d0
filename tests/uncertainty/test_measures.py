import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import MEASURES, consensus, vote_entropy
from egrm_graph.uncertainty.votes import tally

ANSWERS = st.lists(st.sampled_from(["1", "2", "3", None]), min_size=1, max_size=12)


def votes(*answers: str | None) -> Evidence:
    return Evidence(tally(answers, lambda one, other: one == other))


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


def test_four_of_five_is_exactly_the_published_threshold() -> None:
    measure = MEASURES["consensus"]
    assert measure.certain(consensus(votes("7", "7", "7", "7", "8")), measure.threshold)
    assert not measure.certain(consensus(votes("7", "7", "7", "8", "8")), measure.threshold)


def test_vote_entropy_has_the_threshold_that_means_four_of_five() -> None:
    measure = MEASURES["vote_entropy"]
    four_of_five = vote_entropy(votes("7", "7", "7", "7", "8"))
    assert four_of_five == pytest.approx((0.8 * math.log(1 / 0.8) + 0.2 * math.log(1 / 0.2)) / math.log(5))
    assert measure.certain(four_of_five, measure.threshold)
    assert not measure.certain(vote_entropy(votes("7", "7", "7", "8", "8")), measure.threshold)


def test_one_voter_is_certain_unless_it_is_lost() -> None:
    assert vote_entropy(votes("7")) == 0
    assert vote_entropy(votes(None)) == 1


@given(ANSWERS.filter(lambda answers: len(answers) > 1))
def test_vote_entropy_is_scipys_over_its_largest_value(answers: list[str | None]) -> None:
    counted = votes(*answers)
    counts = [*counted.votes.counts, *[1] * counted.votes.lost]
    assert vote_entropy(counted) == pytest.approx(entropy(counts) / math.log(len(answers)))


@pytest.mark.parametrize("name", sorted(MEASURES))
@given(answers=ANSWERS, seed=st.randoms())
def test_the_order_of_the_votes_makes_no_difference(name: str, answers: list[str | None], seed: object) -> None:
    shuffled = list(answers)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    value = MEASURES[name].value
    assert value(votes(*answers)) == pytest.approx(value(votes(*shuffled)))


@pytest.mark.parametrize("name", sorted(MEASURES))
@given(answers=ANSWERS)
def test_every_measure_is_between_0_and_1(name: str, answers: list[str | None]) -> None:
    assert -1e-12 <= MEASURES[name].value(votes(*answers)) <= 1 + 1e-12


@pytest.mark.parametrize("name", sorted(MEASURES))
@given(agreeing=st.integers(1, 11), total=st.integers(2, 12))
def test_more_agreement_is_never_less_certain(name: str, agreeing: int, total: int) -> None:
    agreeing = min(agreeing, total - 1)
    measure = MEASURES[name]
    fewer = measure.value(votes(*["7"] * agreeing, *map(str, range(100, 100 + total - agreeing))))
    more = measure.value(votes(*["7"] * (agreeing + 1), *map(str, range(100, 100 + total - agreeing - 1))))
    assert more > fewer if measure.higher_is_certain else more < fewer
