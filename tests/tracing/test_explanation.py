"""The sentences that explain a verdict."""

from typing import Any

import pytest

from egrm_graph import RunSettings
from egrm_graph.tracing.explanation import explain_verdict
from tests import trees
from tests.tracing.records import path, verification


def same(one: str, other: str) -> bool:
    return one == other


def gate(**changes: Any) -> Any:
    return {**verification()["uncertainty"], **changes}


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            {"route": "direct", "uncertainty": gate(value=1.0, votes=[{"answer": "42", "count": 4}], samples=4)},
            [
                "4 of 4 fast answers (5 planned) say 42; no other answer. consensus 1, threshold 0.8: certain, "
                "so the run did not reason.",
                "The answer is the most frequent fast answer, 42.",
            ],
        ),
        (
            {"status": "abstained", "uncertainty": gate(value=None, votes=[])},
            [
                "None of 5 fast answers could be read. consensus could not be measured, so the run reasoned.",
                "The run gives no answer.",
            ],
        ),
        (
            {"status": "abstained", "answer": None, "best_guess": "42"},
            [
                "3 of 5 fast answers say 42; 1 other answer. consensus 0.6, threshold 0.8: not certain, "
                "so the run reasoned.",
                "Scores by answer: 42 1.790 in 2 paths, 32 0.120 in 1 path. By weighted_vote, path 1 is chosen: 42, "
                "score 0.910.",
                "The best guess, 42, is withheld: its confidence is too low.",
            ],
        ),
        (
            {"best_path": None},
            [
                "3 of 5 fast answers say 42; 1 other answer. consensus 0.6, threshold 0.8: not certain, "
                "so the run reasoned.",
                "No score decided; by votes the answer is 42.",
            ],
        ),
        (
            {"answer": "A", "rewards": [1.0, 0.0], "uncertainty": gate(planned=0)},
            [
                "No model call was needed: the input decides.",
                "A has the largest estimated probability of the candidates.",
            ],
        ),
    ],
)
def test_route_and_answer_are_explained(changes: dict[str, Any], sentences: list[str]) -> None:
    assert explain_verdict(verification(**changes), RunSettings(), same) == sentences


def test_leaves_of_a_tree_do_not_vote() -> None:
    sentences = explain_verdict(verification(paths=trees.four_leaves(), best_path=None), RunSettings(), same)
    assert sentences[-1] == "No score decided; by the weights of the leaves the answer is 42."


def test_a_long_answer_is_truncated() -> None:
    paths = [path("x" * 1000, 0.5, 0)]
    (_, sentence) = explain_verdict(verification(paths=paths, best_path=0), RunSettings(selection="best_score"), same)
    assert (
        sentence
        == f"Scores by answer: {'x' * 60}… 0.500 in 1 path. By best_score, path 1 is chosen: {'x' * 60}…, score 0.500."
    )
