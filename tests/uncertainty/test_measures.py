"""Properties of all measures."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import MEASURES
from egrm_graph.verification import Reading, Sample
from tests.uncertainty.drawn import drew, read, reading, sample, votes

READ = [name for name, measure in MEASURES.items() if "readings" in measure.requires]
DRAWN = [name for name in MEASURES if name not in READ]
ON_READINGS = [*READ, "consensus", "vote_entropy", "certaindex", "semantic_entropy", "order_disagreement"]
UNBOUNDED = {"self_certainty", "deepconf_mean", "deepconf_tail", "deepconf_lowest"}
NATS = {"semantic_entropy", "weighted_semantic_entropy", "token_entropy", "label_entropy"}

POSITIONS = [
    [0.0, -math.inf, -math.inf, -math.inf],
    [0.0, -20.0, -9999.0, -9999.0],
    [math.log(share) for share in (0.97, 0.01, 0.01, 0.01)],
    [math.log(share) for share in (0.6, 0.3, 0.05, 0.01)],
    [math.log(share) for share in (0.25, 0.25, 0.25, 0.25)],
    [math.log(share) for share in (0.1, 0.05, 0.01, 0.01)],
]
TOPS = st.lists(st.sampled_from(POSITIONS), min_size=1, max_size=5)
SAMPLES = st.lists(
    st.builds(
        lambda answer, tops, order: sample(answer, tops, order=order),
        st.sampled_from(["A", "B", "C", None]),
        st.one_of(st.none(), TOPS),
        st.sampled_from(["AB", "BA"]),
    ),
    min_size=1,
    max_size=10,
)
SHARES = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(
    lambda values: {name: value / sum(values) for name, value in zip("ABC", values, strict=True)}
)
READINGS = st.lists(
    st.builds(reading, st.sampled_from(["ABC", "BCA", "CAB"]), st.one_of(st.none(), SHARES), samples=st.integers(1, 3)),
    min_size=1,
    max_size=5,
)


def values(names: Sequence[str], evidence: Evidence) -> dict[str, float]:
    return {name: MEASURES[name].value(evidence) for name in names}


def within(names: Sequence[str], evidence: Evidence) -> None:
    """Check that each measure is in its range or NaN."""
    votes, n_listed = evidence.votes, len(POSITIONS[0])
    nats = math.log(max(len(evidence.samples), len(votes.answers) + votes.lost, n_listed + 1))
    for name, value in values(names, evidence).items():
        most = math.inf if name in UNBOUNDED else nats if name in NATS else 1.0
        assert math.isnan(value) or -1e-9 <= value <= most + 1e-9, name


def surer(names: Sequence[str], more: Evidence, fewer: Evidence) -> None:
    """Check that no measure is less certain of `more` than of `fewer`."""
    one, other = values(names, more), values(names, fewer)
    for name in names:
        gained = one[name] - other[name]
        assert (gained if MEASURES[name].higher_is_certain else -gained) >= -1e-9, name


@given(samples=SAMPLES, rng=st.randoms())
def test_the_order_of_the_samples_makes_no_difference(samples: list[Sample], rng: random.Random) -> None:
    again: list[Sample] = rng.sample(samples, len(samples))
    assert values(DRAWN, drew(*samples)) == pytest.approx(values(DRAWN, drew(*again)), nan_ok=True)


@given(readings=READINGS, rng=st.randoms())
def test_the_order_of_the_readings_makes_no_difference(readings: list[Reading], rng: random.Random) -> None:
    again: list[Reading] = rng.sample(readings, len(readings))
    assert values(ON_READINGS, read(*readings)) == pytest.approx(values(ON_READINGS, read(*again)), nan_ok=True)


@given(samples=SAMPLES)
def test_every_measure_of_samples_is_in_its_range(samples: list[Sample]) -> None:
    within(DRAWN, drew(*samples))


@given(readings=READINGS)
def test_every_measure_of_readings_is_in_its_range(readings: list[Reading]) -> None:
    within(ON_READINGS, read(*readings))


@given(agreeing=st.integers(1, 11), total=st.integers(2, 12), tops=TOPS)
def test_more_agreement_is_never_less_certain(agreeing: int, total: int, tops: list[list[float]]) -> None:
    agreeing = min(agreeing, total - 1)

    def of(count: int) -> Evidence:
        answers = ["7"] * count + [str(100 + i) for i in range(total - count)]
        return drew(*(sample(answer, tops, order=("AB", "BA")[i % 2]) for i, answer in enumerate(answers)))

    surer(DRAWN, of(agreeing + 1), of(agreeing))


@pytest.mark.parametrize("name", [name for name in DRAWN if not MEASURES[name].requires])
def test_answers_alone_tell_five_of_five_from_four(name: str) -> None:
    values = [MEASURES[name].value(votes(*"7" * n, *"8" * (5 - n))) for n in (5, 4, 3)]
    assert values == sorted(values, reverse=MEASURES[name].higher_is_certain)
    assert len(set(values)) == 3


@given(shares=st.tuples(st.floats(1 / 3, 1), st.floats(1 / 3, 1)))
def test_more_probability_on_one_label_is_never_less_certain(shares: tuple[float, float]) -> None:
    def of(share: float) -> Evidence:
        probabilities = {"A": share, "B": (1 - share) / 2, "tie": (1 - share) / 2}
        return read(reading("AB", probabilities), reading("BA", probabilities))

    surer(ON_READINGS, of(max(shares)), of(min(shares)))


@pytest.mark.parametrize("name", list(MEASURES))
def test_the_gate_stays_closed_if_every_voter_is_lost(name: str) -> None:
    measure = MEASURES[name]
    for evidence in (votes(None, None), read(reading("AB", None), reading("BA", None)), drew()):
        value = measure.measured(evidence)
        assert value is None or not measure.certain(value, measure.threshold)


@pytest.mark.parametrize("name", [name for name in DRAWN if name != "order_disagreement"])
def test_a_single_sample_has_a_value(name: str) -> None:
    assert MEASURES[name].measured(drew(sample("7", [[-0.1, -3.0]]))) is not None


def test_a_measure_requests_only_the_logprobs_it_needs() -> None:
    names = ("consensus", "weighted_semantic_entropy", "deepconf_mean", "label_entropy")
    assert [MEASURES[name].logprobs(20) for name in names] == [0, 1, 20, 0]
