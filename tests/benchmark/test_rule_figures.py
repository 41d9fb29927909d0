import pytest

from egrm_graph.benchmark.rule_figures import RuleRow, compare, with_paths
from egrm_graph.errors import InputError
from egrm_graph.training.rollout_file import Rollout, RolloutPath


def question(name: str, answers: str, right: str = "r") -> Rollout:
    paths = tuple(
        RolloutPath(text="t", answer=None if answer == "-" else answer, correct=answer == right) for answer in answers
    )
    return Rollout(id=name, question=name, reference=right, paths=paths)


def values(rows: list[RuleRow], n: int) -> dict[tuple[str | None, str], float]:
    return {(row.scorer, row.rule): row.accuracy.value for row in rows if row.paths == n}


def test_each_rule_is_measured_on_the_same_paths() -> None:
    # Of w w w r: the majority is wrong, the best score right, and the weighted vote wrong by 0.9 to 0.8.
    rows = compare([question("q", "wwwr")], {"s": [[0.3, 0.3, 0.3, 0.8]]}, [4])
    assert values(rows, 4) == {
        (None, "majority vote"): 0.0,
        ("s", "best_score"): 1.0,
        ("s", "weighted_vote"): 0.0,
        ("s", "majority_best"): 0.0,
        (None, "best possible"): 1.0,
    }


def test_a_question_counts_by_the_share_of_its_sets_that_are_right() -> None:
    rows = compare([question("q", "rrwwwr")], {"s": [[0.9, 0.1, 0.2, 0.1, 0.3, 0.9]]}, [2, 6])
    # The sets rr, ww and wr: the majority is right in one, wrong in one, and tied in one.
    assert values(rows, 2) == {
        (None, "majority vote"): 0.5,
        ("s", "best_score"): pytest.approx(2 / 3),
        ("s", "weighted_vote"): pytest.approx(2 / 3),
        ("s", "majority_best"): pytest.approx(2 / 3),
        (None, "best possible"): pytest.approx(2 / 3),
    }


def test_a_path_without_an_answer_or_a_score_does_not_count() -> None:
    rows = compare([question("q", "-rw")], {"s": [[None, None, 0.1]]}, [3])
    assert values(rows, 3)["s", "best_score"] == 0.0
    rows = compare([question("q", "-rr")], {"s": [[None, None, None]]}, [3])
    assert values(rows, 3)["s", "weighted_vote"] == 1.0  # only the votes are left


def test_the_lead_over_the_majority_is_paired() -> None:
    questions = [question(f"{i}", "wwr") for i in range(30)] + [question(f"{30 + i}", "rrw") for i in range(30)]
    (row,) = [
        row
        for row in compare(questions, {"s": [[0.1, 0.1, 0.9]] * 30 + [[0.9, 0.9, 0.1]] * 30}, [3])
        if row.rule == "best_score"
    ]
    assert (row.accuracy.value, row.ahead_points.value) == (1.0, 50.0)
    assert 30 < row.ahead_points.low < 50 < row.ahead_points.high < 70


def test_questions_with_too_few_paths_are_left_out_of_every_row() -> None:
    enough = with_paths([question("1", "rr"), question("2", "w")], 2)
    assert [rollout.id for rollout in enough] == ["1"]
    assert [row.accuracy.value for row in compare(enough, {}, [1, 2])] == [1.0, 1.0, 1.0, 1.0]


def test_a_size_larger_than_any_question_has_is_an_error() -> None:
    with pytest.raises(InputError, match="no question has 16 paths, and the most is 2; choose among fewer"):
        with_paths([question("1", "rr"), question("2", "w")], 16)
