"""What a gate measures on a log."""

import math

import numpy as np
import pytest

from egrm_graph.errors import InputError
from egrm_graph.replay.answer_log import LoggedAnswer, LoggedQuestion
from egrm_graph.replay.answer_table import draws_of, measure_gate, sizes_of, table_of
from egrm_graph.uncertainty.measures import MEASURES, Measure
from egrm_graph.uncertainty.votes import tally
from tests.replay.logs import draws, question

CONSENSUS = MEASURES["consensus"]


def test_a_gate_measures_the_consensus_and_whether_the_top_answer_is_right() -> None:
    seen = measure_gate(
        table_of([question(1, "77778"), question(2, "88-79"), question(3, "77888")]), CONSENSUS, np.arange(5)
    )
    assert seen.certainty.tolist() == [0.8, 0.4, 0.6]
    assert seen.right.tolist() == [True, False, False]


def test_the_answer_drawn_first_wins_ties() -> None:
    table = table_of([question(1, "87787-"), question(2, "7887")])
    assert measure_gate(table, CONSENSUS, np.array([0, 1, 2, 3])).right.tolist() == [False, True]
    assert measure_gate(table, CONSENSUS, np.array([1, 3])).right.tolist() == [True, False]


def test_no_readable_answer_is_never_certain() -> None:
    seen = measure_gate(table_of([question(1, "--"), question(2, "7-")]), CONSENSUS, np.arange(2))
    assert seen.certainty.tolist() == [-math.inf, 0.5]
    assert seen.right.tolist() == [False, True]


def test_an_unreadable_answer_is_not_a_vote_even_if_marked_right() -> None:
    lost = LoggedAnswer(answer=None, correct=True)
    table = table_of([LoggedQuestion(id=1, fast=(lost, lost), paths=(lost,))])
    assert (measure_gate(table, CONSENSUS, np.arange(2)).right.tolist(), table.reasoned_right.tolist()) == (
        [False],
        [False],
    )


def test_the_sign_of_an_uncertainty_measure_is_flipped() -> None:
    seen = measure_gate(table_of([question(1, "77"), question(2, "78")]), MEASURES["vote_entropy"], np.arange(2))
    assert seen.certainty.tolist() == [0.0, -1.0]


def test_an_unmeasurable_value_is_never_certain() -> None:
    nothing = Measure("nothing", lambda _: math.nan, threshold=0.5, higher_is_certain=True)
    assert measure_gate(table_of([question(1, "77")]), nothing, np.arange(2)).certainty.tolist() == [-math.inf]


@pytest.mark.parametrize("name", sorted(name for name, measure in MEASURES.items() if not measure.requires))
def test_a_gate_measures_the_same_as_a_run(name: str) -> None:
    from egrm_graph.uncertainty.evidence import evidence_of
    from egrm_graph.verification import Sample

    measure, answers = MEASURES[name], "7787-97"
    samples = [
        Sample(
            text=None,
            thinking=None,
            answer=draw.answer,
            n_tokens=None,
            logprobs=None,
            top_logprobs=None,
            finish_reason=None,
            seed=0,
            request_id="",
            order=[],
            error=None,
        )
        for draw in draws(answers)
    ]
    value = measure.value(evidence_of(samples, [], lambda one, other: one == other))
    seen = measure_gate(table_of([question(1, answers)]), measure, np.arange(len(answers)))
    assert seen.certainty[0] == pytest.approx(value if measure.higher_is_certain else -value, abs=1e-9)


def test_paths_vote_if_the_run_recorded_no_outcome() -> None:
    recorded = LoggedQuestion(
        id=2, fast=draws("8"), paths=draws("88"), reasoned=LoggedAnswer(answer="7", correct=True), confidence=0.25
    )
    table = table_of([question(1, "7", "8778-"), recorded, question(3, "7", "--")])
    assert table.reasoned_right.tolist() == [False, True, False]
    assert table.reasoning.confidence.tolist() == [0.4, 0.25, 0.0]
    assert tally(["8", "7", "7", "8", None], lambda one, other: one == other).top == "8"


def test_questions_are_truncated_to_the_fewest_fast_answers() -> None:
    table = table_of([question(1, "789", tokens=(2, 10)), question(2, "88", "77", tokens=(3, 20))])
    assert table.fast.tolist() == [[0, 1], [0, 0]]
    assert table.fast_tokens is not None
    assert table.path_tokens is not None
    assert (table.fast_tokens.tolist(), table.path_tokens.tolist()) == ([[2, 2], [3, 3]], [40, 40])


def test_tokens_are_known_only_if_every_sample_has_them() -> None:
    table = table_of([question(1, "7", tokens=(2, 10)), question(2, "8")])
    assert table.fast_tokens is table.path_tokens is None


def test_few_combinations_are_enumerated_and_many_are_sampled() -> None:
    assert [drawn.tolist() for drawn in draws_of(3, 2)] == [[0, 1], [0, 2], [1, 2]]
    some = draws_of(100, 5, seed=1)
    assert len(some) == 64
    assert all(np.array_equal(one, other) for one, other in zip(some, draws_of(100, 5, seed=1), strict=True))
    assert all((np.diff(drawn) > 0).all() for drawn in some)


@pytest.mark.parametrize("m", [0, 4])
def test_drawing_more_answers_than_the_log_has_is_an_error(m: int) -> None:
    with pytest.raises(InputError, match=f"samples={m}: the log has 3 fast answers per question; choose 1 to 3"):
        draws_of(3, m)


def test_default_sizes_do_not_exceed_the_log() -> None:
    assert [sizes_of(n) for n in (1, 2, 8, 100)] == [[1], [2], [3, 5, 8], [3, 5, 8, 16]]
