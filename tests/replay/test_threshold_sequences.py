"""Losses and costs of gates compared with hand calculations, and which gate is certified."""

import numpy as np

from egrm_graph.replay.answer_table import table_of
from egrm_graph.replay.threshold_sequences import certify, distinct, threshold_sequences
from egrm_graph.uncertainty.measures import MEASURES
from tests.replay.logs import question

CONSENSUS = MEASURES["consensus"]
LOG = [
    question(1, "7777", tokens=(1, 10)),  # certain and right
    question(2, "8888", tokens=(1, 10)),  # certain and wrong, where reasoning is right
    question(3, "8888", "9999", tokens=(1, 10)),  # both wrong
    question(4, "7788", "9999", tokens=(1, 10)),  # halfway, right, where reasoning is wrong
]


def test_the_excess_loss_counts_a_wrong_fast_answer_only_if_reasoning_is_right() -> None:
    (found,) = threshold_sequences(table_of(LOG), [CONSENSUS], [4], "excess")
    assert found.certainties.tolist() == [1.0, 0.5]
    assert found.direct.tolist() == [[True, True], [True, True], [True, True], [False, True]]
    assert found.losses.tolist() == [[False, False], [True, True], [False, False], [False, False]]


def test_the_error_loss_counts_every_wrong_given_answer() -> None:
    (found,) = threshold_sequences(table_of(LOG), [CONSENSUS], [4], "error")
    assert found.losses.tolist() == [[False, False], [True, True], [True, True], [True, False]]


def test_cost_is_tokens_or_else_the_share_that_reasons() -> None:
    (tokens,) = threshold_sequences(table_of(LOG), [CONSENSUS], [4], "excess")
    assert tokens.cost.tolist() == [[4, 4], [4, 4], [4, 4], [44, 4]]
    (shares,) = threshold_sequences(table_of([question(1, "77"), question(2, "78")]), [CONSENSUS], [2], "excess")
    assert shares.cost.tolist() == [[0, 0], [1, 0]]


def test_only_the_first_fast_answers_count() -> None:
    (found,) = threshold_sequences(table_of(LOG), [CONSENSUS], [2], "excess")
    assert found.certainties.tolist() == [1.0]
    assert found.direct.all()


def test_thresholds_are_in_the_measures_units() -> None:
    (found,) = threshold_sequences(table_of(LOG), [MEASURES["vote_entropy"]], [4], "excess")
    assert found.certainties.tolist() == [0, -0.5]
    assert [found.threshold(t) for t in range(2)] == [0, 0.5]


def test_equivalent_measures_are_tried_once() -> None:
    measures = [MEASURES[name] for name in ("consensus", "vote_entropy", "certaindex", "semantic_entropy")]
    # Of three votes the largest class says all; of four, two and two are less torn than two, one and one.
    assert [[measure.name for measure in distinct(measures, m)] for m in (3, 4)] == [
        ["consensus"],
        ["consensus", "vote_entropy"],
    ]


def test_the_loosest_gate_that_keeps_the_target_is_found_per_set() -> None:
    # A hundred unanimous and right, a hundred split and wrong where reasoning is right.
    log = [question(i, "7777" if i < 100 else "8877") for i in range(200)]
    choices = threshold_sequences(table_of(log), [CONSENSUS], [4], "excess")
    everything = np.ones(200, int)
    only_unanimous = np.where(np.arange(200) < 100, 2, 0)
    none_unanimous = np.where(np.arange(200) < 100, 0, 2)
    sequence, threshold = certify(choices, np.array([everything, only_unanimous, none_unanimous]), 0.05, 0.05)
    assert (sequence.tolist(), threshold.tolist()) == ([0, 0, 0], [0, 1, 0])


def test_several_sequences_share_the_error_level() -> None:
    """59 questions without a loss certify 5 % for one sequence, but for neither of two."""
    table = table_of([question(i, "77777") for i in range(59)])
    weights = np.ones((1, 59), int)
    alone = certify(threshold_sequences(table, [CONSENSUS], [5], "excess"), weights, 0.05, 0.05)
    shared = certify(threshold_sequences(table, [CONSENSUS], [3, 5], "excess"), weights, 0.05, 0.05)
    assert ([found.tolist() for found in alone], [found.tolist() for found in shared]) == ([[0], [0]], [[-1], [-1]])


def test_the_cheaper_of_two_certified_sequences_is_chosen() -> None:
    table = table_of([question(i, "77777", tokens=(1, 10)) for i in range(100)])
    sequence, threshold = certify(
        threshold_sequences(table, [CONSENSUS], [5, 3], "excess"), np.ones((1, 100), int), 0.05, 0.05
    )
    assert (sequence.tolist(), threshold.tolist()) == ([1], [0])


def test_no_readable_answer_has_no_threshold() -> None:
    table = table_of([question(i, "--") for i in range(100)])
    sequence, _ = certify(threshold_sequences(table, [CONSENSUS], [2], "excess"), np.ones((1, 100), int), 0.05, 0.05)
    assert sequence.tolist() == [-1]
