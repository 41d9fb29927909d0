"""The sentences that say why."""

from typing import Any

import pytest

from egrm_graph.tracing.explanation import explain_verdict
from tests.tracing.records import path, verification


def same(one: str, other: str) -> bool:
    return one == other


def gate(**changes: Any) -> Any:
    return {**verification()["uncertainty"], **changes}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"route": "direct", "uncertainty": gate(value=1.0, votes=[{"answer": "42", "count": 4}], samples=4)},
            [
                "4 of 4 fast answers (5 planned) say 42; there is no other. consensus 1, threshold 0.8: certain, "
                "so it did not reason.",
                "The most frequent fast answer is given, 42.",
            ],
        ),
        (
            {"status": "abstained", "uncertainty": gate(value=None, votes=[])},
            [
                "Of 5 fast answers none could be read. consensus could not be measured, so it reasoned.",
                "No answer is given.",
            ],
        ),
        (
            {"status": "abstained", "answer": None, "best_guess": "42"},
            [
                "3 of 5 fast answers say 42; there is 1 other. consensus 0.6, threshold 0.8: not certain, "
                "so it reasoned.",
                "Scores by answer: 42 1.790 in 2 paths, 32 0.120 in 1 path. By weighted_vote, path 1 is chosen: 42, "
                "score 0.910.",
                "The best guess, 42, is withheld: its confidence is too low.",
            ],
        ),
        (
            {"best_path": None},
            [
                "3 of 5 fast answers say 42; there is 1 other. consensus 0.6, threshold 0.8: not certain, "
                "so it reasoned.",
                "No score decided; by votes the answer is 42.",
            ],
        ),
        (
            {"answer": "A", "rewards": [1.0, 0.0], "uncertainty": gate(planned=0)},
            [
                "There was nothing to ask: what was handed in decides.",
                "Of the candidates, A has the largest estimated probability.",
            ],
        ),
    ],
)
def test_route_and_answer(changes: dict[str, Any], told: list[str]) -> None:
    assert explain_verdict(verification(**changes), "weighted_vote", same) == told


def test_a_long_answer_is_quoted_in_part() -> None:
    paths = [path("x" * 1000, 0.5, 0)]
    (_, told) = explain_verdict(verification(paths=paths, best_path=0), "best_score", same)
    assert (
        told
        == f"Scores by answer: {'x' * 60}… 0.500 in 1 path. By best_score, path 1 is chosen: {'x' * 60}…, score 0.500."
    )
