"""The best-of-N curve, against sets counted by hand."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.training.best_of_n_curve import BestOf, best_of_n_curve, expected_top
from egrm_graph.training.rollout_file import Rollout, RolloutPath


def question(*answers: str | None, reference: str | None = "2") -> Rollout:
    paths = tuple(RolloutPath(text="-", answer=answer, correct=answer == "2") for answer in answers)
    return Rollout(id="-", question="-", reference=reference, paths=paths)


async def test_curve_of_one_question() -> None:
    # answers 2, 3, 3, 2 with scores 0.4, 0.3, 0.2, 0.1
    # of one: two of four are right
    # of two: 0.4 is on top of three sets of six, 0.3 of two, 0.2 of one: 3/6; a right one is in all but {3, 3}: 5/6;
    #   the vote is right in {2, 2}, wrong in {3, 3}, and tied in the other four: 3/6
    # of four: 0.4 is on top; the vote is tied
    curve = best_of_n_curve([question("2", "3", "3", "2")], [[0.4, 0.3, 0.2, 0.1]])
    assert curve == [
        BestOf(1, 1, 0.5, 0.5, 0.5),
        BestOf(2, 1, 0.5, 0.5, pytest.approx(5 / 6)),  # type: ignore[arg-type]
        BestOf(4, 1, 1.0, 0.5, 1.0),
    ]


async def test_questions_with_fewer_paths_count_for_smaller_sets() -> None:
    curve = best_of_n_curve([question("2", "3", "3"), question("2")], [[0.1, 0.2, 0.3], [0.5]])
    # of one: a third and one; of two, the first question alone: right only in no set, as 0.1 is never on top
    assert [(point.n_paths, point.questions) for point in curve] == [(1, 2), (2, 1)]
    assert curve[0].scorer == pytest.approx((1 / 3 + 1) / 2)
    assert curve[1].scorer == 0
    assert curve[1].oracle == pytest.approx(2 / 3)


async def test_equal_scores_share_the_choice() -> None:
    assert expected_top([0.5, 0.5, 0.5, 0.1], [1, 0, 0, 1], 4) == pytest.approx(1 / 3)


async def test_without_references_the_majority_is_none() -> None:
    assert best_of_n_curve([question("2", "3", reference=None)], [[0.2, 0.1]])[1] == BestOf(2, 1, 1, None, 1)


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=7),
    st.integers(1, 7),
)
def test_expectation_is_the_mean_over_all_sets(paths: list[tuple[float, float]], n: int) -> None:
    n = min(n, len(paths))
    tops = [
        fmean(value for key, value in chosen if key == max(key for key, _ in chosen))
        for chosen in combinations(paths, n)
    ]
    value = expected_top([key for key, _ in paths], [value for _, value in paths], n)
    assert value == pytest.approx(fmean(tops))


async def test_a_vote_over_many_sets_uses_the_same_sets_every_time() -> None:
    many = question(*["2"] * 12, *["3"] * 8)
    one, other = (best_of_n_curve([many], [[0.0] * 20]) for _ in range(2))
    assert one == other
    # of four of twenty paths, P(three or four right) + P(two right) / 2, hypergeometric:
    # (C(12,3) * 8 + C(12,4)) / C(20,4) + C(12,2) * C(8,2) / C(20,4) / 2
    exact = (220 * 8 + 495) / 4845 + 66 * 28 / 4845 / 2
    assert one[2].majority == pytest.approx(exact, abs=0.15)  # a hundred sets: standard error 0.04
