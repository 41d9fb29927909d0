"""Rewards of a group of paths, against numbers worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.fine_tuning.path_rewards import (
    ALL_EQUAL,
    ALL_RIGHT,
    ALL_WRONG,
    NO_ANSWER,
    NOTHING_TO_COMPARE,
    GradedPath,
    PathRewardKind,
    path_rewards,
)

GROUP = [GradedPath(True, 0.9), GradedPath(True, 0.5), GradedPath(False, 0.4), GradedPath(False, 0.2)]


def numbers(kind: PathRewardKind, group: list[GradedPath], beta: float = 1.0) -> list[float | None]:
    return [reward for reward, _ in path_rewards(kind, group, beta)]


def test_an_answer_reward_is_whether_the_answer_is_right() -> None:
    assert numbers("answer", GROUP) == [1.0, 1.0, 0.0, 0.0]


def test_a_score_reward_adds_the_bonus_of_a_right_answer() -> None:
    assert numbers("score", GROUP, beta=0.5) == pytest.approx([1.4, 1.0, 0.4, 0.2])


def test_a_pair_reward_is_over_the_mean_of_the_other_outcome() -> None:
    # The mean of the wrong scores is 0.3, that of the right ones 0.7.
    assert numbers("pair", GROUP, beta=0.5) == pytest.approx([0.9 - 0.3 + 0.5, 0.5 - 0.3 + 0.5, 0.4 - 0.7, 0.2 - 0.7])


def test_a_path_without_an_answer_leaves_its_group() -> None:
    unread = GradedPath(None, 0.99)
    rewards = path_rewards("pair", [unread, *GROUP], 0.5)
    assert rewards[0] == (None, NO_ANSWER)
    assert rewards[1:] == path_rewards("pair", GROUP, 0.5)


@pytest.mark.parametrize("kind", ["score", "pair"])
def test_a_path_without_a_score_leaves_its_group(kind: PathRewardKind) -> None:
    unscored = GradedPath(True, None, "it is longer than the model's context")
    rewards = path_rewards(kind, [unscored, *GROUP])
    assert rewards[0] == (None, "it is longer than the model's context")
    assert rewards[1:] == path_rewards(kind, GROUP)


def test_an_answer_reward_needs_no_score() -> None:
    assert numbers("answer", [GradedPath(True, None), GradedPath(False, None)]) == [1.0, 0.0]


@pytest.mark.parametrize("kind", ["answer", "pair"])
@pytest.mark.parametrize(("right", "reason"), [(True, ALL_RIGHT), (False, ALL_WRONG)])
def test_a_group_with_one_outcome_gives_no_reward(kind: PathRewardKind, right: bool, reason: str) -> None:
    assert path_rewards(kind, [GradedPath(right, 0.9), GradedPath(right, 0.2)]) == [(None, reason)] * 2


def test_scores_alone_are_a_spread_for_a_score_reward() -> None:
    assert numbers("score", [GradedPath(True, 0.9), GradedPath(True, 0.2)]) == pytest.approx([1.9, 1.2])
    assert path_rewards("score", [GradedPath(True, 0.9)] * 2) == [(None, ALL_EQUAL)] * 2


@pytest.mark.parametrize("kind", ["answer", "score", "pair"])
def test_one_path_cannot_be_compared(kind: PathRewardKind) -> None:
    group = [GradedPath(True, 0.9), GradedPath(None, None)]
    assert path_rewards(kind, group) == [(None, NOTHING_TO_COMPARE), (None, NO_ANSWER)]
    assert path_rewards(kind, []) == []


scores = st.floats(0, 1)
groups = st.tuples(st.lists(scores, min_size=1, max_size=8), st.lists(scores, min_size=1, max_size=8))


@given(groups, st.floats(0, 2))
def test_a_pair_reward_is_a_score_reward_with_a_bonus_that_grows_with_the_margin(
    scored: tuple[list[float], list[float]], beta: float
) -> None:
    right, wrong = scored
    group = [*(GradedPath(True, score) for score in right), *(GradedPath(False, score) for score in wrong)]
    margin = sum(right) / len(right) - sum(wrong) / len(wrong)
    pair = [reward or 0.0 for reward in numbers("pair", group, beta)]
    score = [path.score or 0.0 for path in group]
    plain = [one + (beta + margin) * bool(path.right) for one, path in zip(score, group, strict=True)]
    offsets = [one - other for one, other in zip(pair, plain, strict=True)]
    assert offsets == pytest.approx([offsets[0]] * len(offsets), abs=1e-9)


@given(groups, st.floats(1, 2))
def test_from_a_bonus_of_one_on_no_wrong_path_earns_more_than_a_right_one(
    scored: tuple[list[float], list[float]], beta: float
) -> None:
    right, wrong = scored
    group = [*(GradedPath(True, score) for score in right), *(GradedPath(False, score) for score in wrong)]
    rewards = [reward or 0.0 for reward in numbers("score", group, beta)]
    assert min(rewards[: len(right)]) >= max(rewards[len(right) :])
