"""What reasoning gives on a log if drawing paths stops, and the guarantee for gate and stopping together."""

from typing import Any

import numpy as np
import pytest

from egrm_graph.deciding.selection_rules import best_score, weighted_vote
from egrm_graph.errors import InputError
from egrm_graph.replay.answer_log import LoggedQuestion
from egrm_graph.replay.answer_table import table_of
from egrm_graph.replay.gate_fitting import Certified, Promise, Refused, calibrate
from egrm_graph.replay.threshold_sequences import certify, threshold_sequences
from egrm_graph.uncertainty.measures import MEASURES
from tests.replay.logs import question, scored

CONSENSUS = MEASURES["consensus"]


def test_a_question_stops_at_its_first_sure_path_and_is_answered_by_those_drawn() -> None:
    log = [
        scored(1, "78", [("7", 0.97), ("8", 0.9), ("8", 0.9)], 10),
        scored(2, "78", [("8", 0.8), ("8", 0.9), ("7", 0.9)], 10),
        scored(3, "78", [("7", 0.5), ("8", 0.5), ("9", 0.6)], 10),
    ]
    table = table_of(log, [0.95])
    [early] = table.stopped
    assert early.stops_at == 0.95
    assert early.drawn.tolist() == [1, 2, 3]
    assert early.right.tolist() == [True, False, table.reasoned_right[2]]
    assert early.confidence.tolist()[:2] == [0.97, 0.9]
    assert early.tokens is not None
    assert early.tokens.tolist() == [10, 20, 30]
    assert table.reasoning.drawn.tolist() == [3, 3, 3]


def test_the_selection_rule_of_the_runs_chooses_among_the_drawn_paths() -> None:
    log = [scored(1, "78", [("7", 0.89), ("8", 0.5), ("8", 0.5), ("7", 0.5)])]
    for select in (weighted_vote, best_score):
        [early] = table_of(log, [0.8], select).stopped
        assert early.drawn.tolist() == [1]
        assert early.right.tolist() == [True]


@pytest.mark.parametrize(
    "log",
    [
        [question(1, "77"), question(2, "78")],
        [scored(1, "77", [("7", 0.9)]), scored(2, "77", [("7", 0.9), ("7", 0.9)])],
    ],
)
def test_a_log_without_scores_or_with_missing_paths_cannot_say_where_to_stop(log: list[LoggedQuestion]) -> None:
    with pytest.raises(InputError, match="draw it with --path-stopping all"):
        table_of(log, [0.95])
    assert table_of(log).stopped == ()


def test_the_loss_of_gate_and_stopping_is_that_of_the_answer_given() -> None:
    """Excess: the given answer is wrong where all paths are right. Each question is one case."""
    late = [("8", 0.97), ("7", 0.9), ("7", 0.9)]  # wrong at the first path, right by the sum of all
    log = [
        LoggedQuestion(**{**scored(1, "77", late).model_dump(), "reasoned": {"answer": "7", "correct": True}}),
        LoggedQuestion(**{**scored(2, "88", late).model_dump(), "reasoned": {"answer": "7", "correct": True}}),
        LoggedQuestion(**{**scored(3, "78", late).model_dump(), "reasoned": {"answer": "7", "correct": True}}),
        scored(4, "78", [("7", 0.97), ("7", 0.9), ("7", 0.9)]),
    ]
    every, early = threshold_sequences(table_of(log, [0.95]), [CONSENSUS], [2], "excess")
    assert every.certainties.tolist() == early.certainties.tolist() == [1.0, 0.5]
    assert every.losses[:, 0].tolist() == [False, True, False, False]
    assert early.losses[:, 0].tolist() == [False, True, True, False]
    assert early.losses[:, 1].tolist() == [False, True, False, False]  # the fast answer is given, and right
    assert early.cost[:, 0].tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3])


def world(n: int, rng: np.random.Generator, *, overconfident: float = 0.0) -> list[LoggedQuestion]:
    """Half of the questions are unanimous and right. Paths are right with the probability that is their score; with
    `overconfident`, that share of the first paths are wrong and have a score of 0.999."""

    def drawn(i: int) -> LoggedQuestion:
        scores = rng.beta(3, 1, 6)
        paths = [("7" if rng.random() < score else str(8 + k), float(score)) for k, score in enumerate(scores)]
        if rng.random() < overconfident:
            paths[0] = ("99", 0.999)
        return scored(i, "777" if rng.random() < 0.5 else "897", paths, 10)

    return [drawn(i) for i in range(n)]


def test_stopping_is_chosen_if_it_is_cheaper_and_safe() -> None:
    log = world(1500, np.random.default_rng(0))
    alone = calibrate(table_of(log), [CONSENSUS], [3], Promise(0.05, 0.95))
    both = calibrate(table_of(log, [0.9, 0.99]), [CONSENSUS], [3], Promise(0.05, 0.95))
    assert isinstance(alone, Certified)
    assert isinstance(both, Certified)
    assert (alone.path_confidence, alone.paths_drawn, alone.gates) == (None, 6.0, 1)
    assert both.path_confidence in (0.9, 0.99)
    assert both.paths_drawn < 3.5
    assert both.gates == 3
    assert both.risk_bound < 0.05


def test_stopping_that_loses_too_much_is_not_chosen() -> None:
    log = world(1500, np.random.default_rng(0), overconfident=0.3)
    both = calibrate(table_of(log, [0.95]), [CONSENSUS], [3], Promise(0.05, 0.95))
    assert isinstance(both, Certified | Refused)
    assert isinstance(both, Refused) or both.path_confidence is None


def test_of_500_calibrations_at_most_one_in_twenty_promises_too_much() -> None:
    """The stopping just misses the target, and always losing nothing by all paths is not among the choices."""
    log = world(3000, np.random.default_rng(1), overconfident=0.2)
    table = table_of(log, [0.95, 0.9])
    stopping = threshold_sequences(table, [CONSENSUS], [3], "excess")[1:]
    assert all(one.reasoning.stops_at is not None for one in stopping)
    risks = [one.losses.mean(axis=0) for one in stopping]
    target = min(float(risk[0]) for risk in risks) - 1e-9  # every choice is over it
    weights: Any = np.random.default_rng(2).multinomial(600, np.full(3000, 1 / 3000), size=500)
    chosen, _ = certify(stopping, weights, target, 0.05)
    assert (chosen >= 0).mean() <= 0.05 + 2 * (0.05 * 0.95 / 500) ** 0.5
    safe, at = certify(stopping, weights, target * 1.6, 0.05)
    assert (safe >= 0).mean() > 0.5
    true = np.array([risks[j][t] for j, t in zip(safe, at, strict=True) if j >= 0])
    assert (true > target * 1.6).mean() <= 0.05
