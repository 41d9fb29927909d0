"""The figures of step scores, against small cases counted by hand."""

from __future__ import annotations

import pytest

from egrm_graph.training.rollout_file import Rollout, RolloutPath, RolloutStep, in_first_half
from egrm_graph.training.step_figures import (
    FirstErrors,
    JudgedPath,
    at_other_half,
    best_threshold,
    choices,
    first_errors,
    harmonic_mean,
    in_order,
    step_figures,
)


def question(name: str, *paths: str) -> Rollout:
    """Paths with a step for each character, which is right if it is 1."""
    made = [
        RolloutPath(
            text=text,
            answer=text,
            correct="0" not in text,
            steps=tuple(RolloutStep(end=i + 1, value=float(mark)) for i, mark in enumerate(text)),
        )
        for text in paths
    ]
    return Rollout(id=name, question=name, reference="1", paths=tuple(made))


def test_first_errors_are_counted_as_in_process_bench() -> None:
    paths = [
        JudgedPath([1, 0, 0], [0.9, 0.4, 0.1]),  # found
        JudgedPath([1, 1, 0], [0.9, 0.4, 0.1]),  # one too early
        JudgedPath([0, 1], [0.6, 0.5]),  # none found: 0.5 is not below 0.5
        JudgedPath([1, 1], [0.5, 0.6]),  # passed
        JudgedPath([1, 1], [0.5, 0.4]),  # a false alarm
    ]
    counts = first_errors(paths)
    assert counts == FirstErrors(found=1, erroneous=3, passed=1, correct=2)
    assert counts.f1 == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))


def test_f1_needs_paths_of_both_kinds() -> None:
    assert first_errors([JudgedPath([1], [0.9])]).f1 is None
    assert first_errors([JudgedPath([0], [0.1])]).f1 is None
    assert harmonic_mean(0.0, 0.0) == 0.0


def test_the_best_threshold_separates_right_from_wrong_steps() -> None:
    assert best_threshold([JudgedPath([1, 0], [0.3, 0.1]), JudgedPath([1], [0.25])]) == pytest.approx(0.175)
    assert best_threshold([JudgedPath([1, 0], [0.9, 0.1]), JudgedPath([1], [0.8])]) == 0.5  # the closest to 0.5


def test_each_half_is_judged_at_the_best_threshold_of_the_other() -> None:
    names = {in_first_half(question(str(n), "1")): str(n) for n in range(20)}
    low, high = question(names[True], "10", "1"), question(names[False], "10", "1")
    judged_low = [JudgedPath([1, 0], [0.3, 0.1]), JudgedPath([1], [0.3])]  # the best threshold is 0.2
    judged_high = [JudgedPath([1, 0], [0.9, 0.7]), JudgedPath([1], [0.9])]  # the best threshold is 0.8
    # At 0.8, all steps of the first half are wrong. At 0.2, all steps of the second half are right.
    assert at_other_half([(low, judged_low), (high, judged_high)]) == [
        FirstErrors(found=0, erroneous=1, passed=0, correct=1),
        FirstErrors(found=0, erroneous=1, passed=1, correct=1),
    ]


def test_figures_of_two_questions() -> None:
    rollouts = [question("a", "10", "11"), question("b", "1")]
    targets = [[1.0, 0.0, 1.0, 1.0], [1.0]]
    scores = [[0.9, 0.2, 0.8, 0.1], [0.2]]
    found = step_figures(rollouts, targets, scores)
    assert found._asdict() == {
        "labeled_steps": 5,
        "steps_right": 0.8,
        "step_accuracy": 0.6,  # all except the 0.1 and the second 0.2
        "steps_in_order": (1 + 1 + 0 + 0.5) / 4,
        "paths": 3,
        "first_error_f1": 0.0,  # the harmonic mean of 1 and 0
        "accuracy_on_erroneous": 1.0,
        "accuracy_on_correct": 0.0,
    }


def test_pairs_of_steps_need_both_kinds() -> None:
    assert in_order([0.5], []) is None


def test_each_aggregation_chooses_among_the_paths() -> None:
    # Product 0.36, 0.45; minimum 0.6, 0.5; mean 0.6, 0.7; last 0.6, 0.5; merged 0.6, 0.9.
    chosen = choices([question("a", "11", "10")], [[[0.6, 0.6], [0.9, 0.5]]], best_of=2)
    assert [(figures.aggregation, figures.best_of_n) for figures in chosen] == [
        ("product", 0.0),
        ("minimum", 1.0),
        ("mean", 0.0),
        ("last", 1.0),
        ("merged", 0.0),
    ]
