"""Stopping rules, against drawing all samples, independent computations, and numbers worked by hand."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc

from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import MEASURES, Measure
from egrm_graph.uncertainty.stopping import Standing, StoppingRule, beta, decided, everything, sequential, windows
from egrm_graph.uncertainty.votes import Votes
from egrm_graph.uncertainty.wave_sizes import wave_sizes

CONSENSUS, ENTROPY = MEASURES["consensus"], MEASURES["vote_entropy"]
Vote = int | None
Outcome = tuple[str, Vote]
"""The route, with the answer if it is direct."""


def certain_by_consensus(votes: Sequence[Vote], threshold: float) -> bool:
    counts = Counter(vote for vote in votes if vote is not None)
    return bool(counts) and max(counts.values()) >= threshold * len(votes) - 1e-9


def certain_by_entropy(votes: Sequence[Vote], threshold: float) -> bool:
    counts = Counter(vote for vote in votes if vote is not None).values()
    if not counts:
        return False
    # H = log M - (1/M) sum c log c. The terms of lost votes are zero.
    nats = math.log(len(votes)) - sum(count * math.log(count) for count in counts) / len(votes)
    return nats <= threshold * math.log(len(votes)) + 1e-9 if len(votes) > 1 else threshold > -1e-9


def certain_by_nats(votes: Sequence[Vote], threshold: float) -> bool:
    return certain_by_entropy(votes, threshold / math.log(len(votes)) if len(votes) > 1 else threshold)


def certain_by_lead(votes: Sequence[Vote], threshold: float) -> bool:
    first, second, *_ = *sorted(Counter(vote for vote in votes if vote is not None).values(), reverse=True), 0, 0
    return first > 0 and first - second >= threshold * len(votes) - 1e-9


def certain_by_pairs(votes: Sequence[Vote], threshold: float) -> bool:
    counts = Counter(vote for vote in votes if vote is not None).values()
    return bool(counts) and sum(count == 2 for count in counts) / len(votes) >= threshold - 1e-9


def lead(evidence: Evidence) -> float:
    first, second, *_ = *evidence.votes.counts, 0, 0
    return (first - second) / evidence.votes.total


def pairs(evidence: Evidence) -> float:
    """The share of answers with exactly two votes, which is not monotone."""
    return evidence.votes.counts.count(2) / evidence.votes.total


def text_length(evidence: Evidence) -> float:
    return sum(len(sample["text"] or "") for sample in evidence.samples)


def answer_length(evidence: Evidence) -> float:
    return len(evidence.votes.top or "")


def broken(evidence: Evidence) -> float:
    return 1 / (evidence.votes.total - 5)


USERS = {
    "lead": Measure("lead", lead, threshold=0.6, higher_is_certain=True),
    "pairs": Measure("pairs", pairs, threshold=0.5, higher_is_certain=True),
}
CERTAIN: dict[str, Callable[[Sequence[Vote], float], bool]] = {
    "consensus": certain_by_consensus,
    "vote_entropy": certain_by_entropy,
    "certaindex": lambda votes, threshold: certain_by_entropy(votes, 1 - threshold),
    "semantic_entropy": certain_by_nats,
    "lead": certain_by_lead,
    "pairs": certain_by_pairs,
}


def outcome(votes: Sequence[Vote], name: str, threshold: float) -> Outcome:
    if not CERTAIN[name](votes, threshold):
        return ("reasoned", None)
    # For equal counts, `most_common` returns the first one.
    return ("direct", Counter(vote for vote in votes if vote is not None).most_common(1)[0][0])


def numbered(votes: Sequence[Vote]) -> tuple[Vote, ...]:
    """The class of each vote: the index of the first equal vote."""
    return tuple(None if vote is None else votes.index(vote) for vote in votes)


def random_votes(draw: random.Random, planned: int) -> list[Vote]:
    """Votes for one to five answers, one of them possibly much more likely, and lost votes."""
    answers: list[Vote] = [None, *range(draw.randint(1, 5))]
    weights = [draw.choice((0.0, 0.0, 0.1, 0.5)), draw.choice((1, 3, 9, 30)), *[1.0] * (len(answers) - 2)]
    return draw.choices(answers, weights, k=planned)


@pytest.mark.parametrize(("name", "sequences"), [("consensus", 100_000), ("vote_entropy", 100_000)])
def test_an_early_decision_equals_that_of_all_votes(name: str, sequences: int) -> None:
    draw, early, direct = random.Random(0), 0, 0
    thresholds = [0.0, 0.2, 0.25, 1 / 3, 0.4, 0.5, 0.6, 2 / 3, 0.75, 0.8, 0.9, 1.0]
    rules = {threshold: decided(MEASURES[name], threshold) for threshold in thresholds}
    for _ in range(sequences):
        planned, threshold = draw.choice((2, 3, 4, 5, 5, 6, 7, 8, 10, 12, 16)), draw.choice(thresholds)
        votes = random_votes(draw, planned)
        n = draw.randrange(planned)
        if rules[threshold](Standing(numbered(votes[:n]), planned)):
            end = outcome(votes, name, threshold)
            assert outcome(votes[:n], name, threshold) == end, (votes, n, threshold)
            early += 1
            direct += end[0] == "direct"
    assert min(direct, early - direct) > sequences / 20  # both kinds occur often enough


@pytest.mark.parametrize("name", CERTAIN)
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("planned", [1, 2, 3, 4])
def test_it_stops_exactly_when_every_continuation_has_the_same_outcome(
    name: str, threshold: float, planned: int
) -> None:
    rule = decided({**MEASURES, **USERS}[name], threshold)
    possible: list[Vote] = [None, *range(planned)]
    for n in range(planned + 1):
        ends: dict[tuple[Vote, ...], set[Outcome]] = {}
        for votes in product(possible, repeat=planned):
            ends.setdefault(votes[:n], set()).add(outcome(votes, name, threshold))
        for drawn, outcomes in ends.items():
            assert rule(Standing(numbered(drawn), planned)) == (len(outcomes) == 1), drawn


@pytest.mark.parametrize(
    ("classes", "stops"),
    [
        ((0, 0, 0, 0), True),  # already four of five
        ((0, 0, 0, 3), False),  # the fifth decides
        ((0, 0, 0), False),
        ((0, 1, 2), True),  # at most three of five
        ((None, None), True),
        ((None, 1, 1, 1), False),
        ((0, 0, 2, 2), True),
        ((), False),
    ],
)
def test_four_of_five_is_decided(classes: tuple[int | None, ...], stops: bool) -> None:
    assert decided(CONSENSUS, 0.8)(Standing(classes, 5)) == stops


def test_it_waits_if_an_answer_that_was_drawn_first_can_still_tie() -> None:
    rule = decided(CONSENSUS, 0.5)  # three of six are enough for the direct route
    assert not rule(Standing((0, 1, 1, 1, 0), 6))  # 0 can also reach three, and then it leads
    assert rule(Standing((0, 0, 0, 3, 3), 6))


@pytest.mark.parametrize("value", [text_length, answer_length, broken])
def test_a_measure_that_depends_on_more_than_vote_counts_is_not_decided_early(
    value: Callable[[Evidence], float],
) -> None:
    rule = decided(Measure("mine", value, threshold=0.5, higher_is_certain=True), 0.5)
    assert not any(rule(Standing(classes, 5)) for classes in ((), (0,) * 4, (0, 1, 2, 3), (None,) * 4))
    assert wave_sizes(rule, 5, 3) == (5,)


@pytest.mark.parametrize(("name", "others_lost"), [("certaindex", True), ("semantic_entropy", True), ("lead", False)])
@pytest.mark.parametrize(("planned", "sizes"), [(5, (4, 1)), (16, (13, 3))])
def test_measures_of_votes_have_the_same_waves_as_consensus(
    name: str, others_lost: bool, planned: int, sizes: tuple[int, ...]
) -> None:
    """The threshold is the value at four of five or thirteen of sixteen equal votes. The other votes are lost or all
    for a second answer, whichever is less certain."""
    most, others = sizes
    votes = Votes(("a",), (most,), others) if others_lost else Votes(("a", "b"), (most, others), 0)
    measure = {**MEASURES, **USERS}[name]
    rule = decided(measure, measure.value(Evidence(votes)))
    assert wave_sizes(rule, planned, 2) == sizes == wave_sizes(decided(CONSENSUS, 0.8), planned, 2)


def test_a_measure_may_be_an_object_that_cannot_be_hashed() -> None:
    @dataclass
    class Lead:
        def __call__(self, evidence: Evidence) -> float:
            return lead(evidence)

    rule = decided(Measure("lead", Lead(), threshold=0.6, higher_is_certain=True), 0.6)
    assert rule(Standing((0,) * 4, 5))


def test_it_waits_if_the_votes_can_continue_in_too_many_ways() -> None:
    rule = decided(USERS["lead"], 0.6)
    assert not rule(Standing((0,) * 250, 300))
    assert rule(Standing((0,) * 290, 300))
    assert rule(Standing((0,) * 5, 5))


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 5), st.integers(0, 3))
def test_beta_is_scipys_regularized_incomplete_beta_function(one: int, other: int, third: int, lost: int) -> None:
    third = min(third, one, other)
    classes = (0,) * one + (30,) * other + (60,) * third + (None,) * lost
    a, b = max(one, other), min(one, other)
    leads = 1 - float(betainc(a + 1, b + 1, 0.5))
    assert beta(Standing(classes, 60)) == (leads >= 0.95)


@pytest.mark.parametrize(
    ("a", "b", "stops"),
    [(3, 0, False), (4, 0, True), (5, 1, False), (6, 1, True), (0, 0, False)],
)
def test_beta_matches_numbers_worked_by_hand(a: int, b: int, stops: bool) -> None:
    # 1 - I_0.5(a+1, 1) = 1 - 2^-(a+1): 0.9375, 0.96875. With b = 1 it is 1 - (a+3) 2^-(a+2): 0.9375, 0.9648.
    assert beta(Standing((0,) * a + (9,) * b, 40)) == stops


@pytest.mark.parametrize(
    ("classes", "stops"),
    [
        ((0,) * 4, False),
        ((0,) * 5, True),
        ((0, 1, 1, 1, 1, 1), False),  # five in a row, but not in one window
        ((0, 1, 1, 1, 1) + (1,) * 4, False),
        ((0, 1, 1, 1, 1) + (1,) * 5, True),
        ((None,) * 5, False),
        ((0, 0, None, 0, 0), False),
    ],
)
def test_a_unanimous_window_of_five_stops(classes: tuple[int | None, ...], stops: bool) -> None:
    assert windows(Standing(classes, 40)) == stops


@pytest.mark.parametrize(
    ("a", "b", "lost", "stops"),
    # Each vote of the lead adds log 4 = 1.386, and log 19 = 2.944 is enough, so a lead of three stops.
    [(2, 0, 0, False), (3, 0, 0, True), (3, 1, 0, False), (7, 4, 0, True), (7, 5, 9, False), (0, 0, 5, False)],
)
def test_a_lead_of_three_ends_the_sequential_test(a: int, b: int, lost: int, stops: bool) -> None:
    standing = Standing((0,) * a + (9,) * b + (None,) * lost, 40)
    odds = math.prod([0.8 / 0.2] * a + [0.2 / 0.8] * b)
    assert sequential(standing) == stops == (odds >= 19)


def test_the_sequential_test_has_the_stated_error_rate() -> None:
    draw, wrong, tests = random.Random(0), 0, 20_000
    for _ in range(tests):
        votes: list[Vote] = []
        while not sequential(Standing(tuple(votes), 1000)):
            votes.append(0 if draw.random() < 0.8 else 1)
        wrong += votes.count(1) > votes.count(0)
    # The walk reaches -3 before +3 with a probability of 1 / (1 + 4^3) = 0.0154.
    assert wrong / tests == pytest.approx(1 / 65, abs=4 * math.sqrt(1 / 65 / tests))


@pytest.mark.parametrize(
    ("rule", "planned", "waves", "sizes"),
    [
        (decided(CONSENSUS, 0.8), 5, 1, (5,)),
        (decided(CONSENSUS, 0.8), 5, 2, (4, 1)),
        (decided(CONSENSUS, 0.8), 5, 3, (3, 1, 1)),
        (decided(CONSENSUS, 0.8), 5, 5, (1, 1, 1, 1, 1)),
        (decided(CONSENSUS, 0.8), 5, 9, (1, 1, 1, 1, 1)),
        (decided(CONSENSUS, 0.8), 16, 2, (13, 3)),
        (decided(CONSENSUS, 0.8), 16, 3, (13, 1, 2)),
        (decided(CONSENSUS, 0.8), 16, 5, (9, 4, 1, 1, 1)),
        (decided(CONSENSUS, 1.0), 5, 2, (5,)),  # all votes have to agree, so easy questions need all of them
        (decided(CONSENSUS, 1.0), 5, 3, (1, 2, 2)),
        (decided(ENTROPY, 0.32), 5, 2, (4, 1)),
        (decided(CONSENSUS, 0.8), 1, 3, (1,)),
        (beta, 16, 2, (4, 12)),
        (beta, 16, 3, (4, 6, 6)),
        (windows, 16, 2, (5, 11)),
        (windows, 5, 3, (5,)),
        (sequential, 16, 2, (3, 13)),
        (everything, 16, 4, (16,)),
    ],
)
def test_waves_end_where_the_rule_can_stop(
    rule: StoppingRule, planned: int, waves: int, sizes: tuple[int, ...]
) -> None:
    assert wave_sizes(rule, planned, waves) == sizes


def test_planning_many_votes_is_fast() -> None:
    assert sum(wave_sizes(decided(CONSENSUS, 0.8), 1024, 1024)) == 1024
