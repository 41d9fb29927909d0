"""The reward formula, on evidence small enough to work by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.deciding.rewards import OutcomeEvidence, grade_reward, mean, scored_vote, shared_out, vote

AB, BA = ("A", "B"), ("B", "A")


def test_a_vote_puts_all_weight_on_its_outcome() -> None:
    assert vote("A") == {"A": 1.0}


def test_a_scored_path_spreads_the_remainder_over_the_other_outcomes() -> None:
    assert scored_vote("A", 0.5, ["A", "B", "tie"]) == {"A": 0.5, "B": 0.25, "tie": 0.25}
    assert scored_vote("B", 0.0, ["A", "B"]) == {"A": 1.0, "B": 0.0}


def test_a_path_with_no_other_outcome_is_a_vote() -> None:
    assert scored_vote("A", 0.25, ["A"]) == {"A": 1.0}


def test_the_mean_within_an_order_is_weighted() -> None:
    found = mean([OutcomeEvidence({"A": 1.0}, AB), OutcomeEvidence({"A": 0.5, "B": 0.5}, AB, weight=3)])
    assert found == {"A": 0.625, "B": 0.375}  # (1 + 3 * 0.5) / 4


def test_orders_count_equally_regardless_of_lost_verdicts() -> None:
    # A judge that always takes the first: one vote is left in one order and three in the other.
    first = [OutcomeEvidence(vote("A"), AB), *[OutcomeEvidence(vote("B"), BA)] * 3]
    assert mean(first) == {"A": 0.5, "B": 0.5}


def test_no_evidence_has_no_mean() -> None:
    assert mean([]) == {}


def test_the_paths_share_what_the_other_candidates_leave() -> None:
    fast = {"A": 0.5, "B": 0.25, "C": 0.25}
    assert shared_out(fast, {"A": 0.25, "B": 0.75}, ["A", "B"]) == {"A": 0.1875, "B": 0.5625, "C": 0.25}


def test_without_fast_verdicts_the_paths_decide_alone() -> None:
    assert shared_out({}, {"A": 0.25, "B": 0.75}, ["A", "B"]) == {"A": 0.25, "B": 0.75}


@pytest.mark.parametrize(
    ("shares", "reward"),
    [({"1": 1.0}, 0.0), ({"3": 1.0}, 1.0), ({"1": 0.5, "2": 0.25, "3": 0.25}, 0.375)],
)
def test_the_reward_of_a_grade_is_the_mean_on_the_scale(shares: dict[str, float], reward: float) -> None:
    assert grade_reward(shares, ["1", "2", "3"]) == reward


shares = st.lists(st.floats(0.001, 1), min_size=4, max_size=4).map(
    lambda drawn: dict(zip("ABCD", [value / sum(drawn) for value in drawn], strict=True))
)


@given(fast=st.lists(shares), scores=st.lists(st.floats(0, 1), min_size=1), reasoned=st.integers(2, 4))
def test_shares_add_up_to_one(fast: list[dict[str, float]], scores: list[float], reasoned: int) -> None:
    outcomes = list("ABCD"[:reasoned])
    found = mean([OutcomeEvidence(verdict, (str(i % 3),)) for i, verdict in enumerate(fast)])
    paths = mean(
        [OutcomeEvidence(scored_vote(outcomes[i % reasoned], score, outcomes)) for i, score in enumerate(scores)]
    )
    assert sum(shared_out(found, paths, outcomes).values()) == pytest.approx(1)
