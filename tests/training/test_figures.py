"""The held-out figures, against small cases counted by hand."""

from __future__ import annotations

import pytest

from egrm_graph.training.figures import Figures, measure
from egrm_graph.training.rollout_file import Rollout, RolloutPath


def question(*answers: str | None, reference: str = "2") -> Rollout:
    paths = tuple(RolloutPath(text="-", answer=answer, correct=answer == reference) for answer in answers)
    return Rollout(id="-", question="-", reference=reference, paths=paths)


async def test_figures_of_two_questions() -> None:
    rollouts = [question("2", "3", "3", "4"), question("2", "2", "3", "1")]
    scores = [[0.9, 0.8, 0.1, 0.95], [0.3, 0.2, 0.4, 0.1]]
    # first: pairs 0.9 > 0.8, 0.9 > 0.1, not > 0.95; top is 4, wrong; majority is 3, wrong
    # second: pairs 0.3 > 0.4 no, 0.3 > 0.1, 0.2 > 0.4 no, 0.2 > 0.1; top is 3, wrong; majority is 2, right
    assert measure(rollouts, scores, best_of=4) == Figures(2, 4 / 7, 0, 0.5, 1, -1)


async def test_a_perfect_order_closes_the_full_gap() -> None:
    rollouts = [question("2", "3", "3"), question("2", "2", "3")]
    assert measure(rollouts, [[0.9, 0.2, 0.1], [0.9, 0.8, 0.1]], best_of=3) == Figures(2, 1, 1, 0.5, 1, 1)


async def test_equal_scores_order_half_a_pair() -> None:
    assert measure([question("2", "3")], [[0.5, 0.5]], best_of=2).pairwise == 0.5


async def test_a_tied_vote_counts_the_share_of_right_answers() -> None:
    assert measure([question("2", "3", "4")], [[0, 0, 0]], best_of=3).majority == pytest.approx(1 / 3)


async def test_right_answers_form_one_class_however_they_are_written() -> None:
    marked = (("2", True), ("3", False), ("3", False), ("2.0", True), ("2.00", True))
    paths = tuple(RolloutPath(text="-", answer=answer, correct=right) for answer, right in marked)
    assert measure([Rollout(id="-", question="-", reference="2", paths=paths)], [[0] * 5], best_of=5).majority == 1


async def test_paths_without_an_answer_do_not_vote() -> None:
    assert measure([question(None, None, "2")], [[0, 0, 0]], best_of=3).majority == 1
    assert measure([question(None, None)], [[0, 0]], best_of=2) == Figures(1, None, 0, 0, 0, None)


async def test_many_paths_are_split_into_sets_and_the_rest_is_not_used() -> None:
    rollouts = [question("2", "3", "3", "2", "2")]
    # sets of two: (2, 3) and (3, 2); the fifth is in no set, but in the pairs
    assert measure(rollouts, [[0.9, 0.1, 0.8, 0.2, 0.7]], best_of=2) == Figures(2, 4 / 6, 0.5, 0.5, 1, 0)
