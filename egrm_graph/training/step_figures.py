"""How well a process scorer judges steps, and finds the first error of a path.

First-error F1 is the harmonic mean of two shares: the paths with an error whose first one is found exactly, and the
paths without an error in which none is found. The scorer finds an error at the first step with a score below the
threshold.

Source: ProcessBench, Zheng et al. 2024, arXiv:2412.06559.
Differs: a step with a label in (0, 1) is wrong below 0.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from egrm_graph.steps.aggregation import AGGREGATIONS
from egrm_graph.training.figures import measure
from egrm_graph.training.rollout_file import Rollout, in_first_half
from egrm_graph.training.step_targets import RIGHT_FROM, step_chains

MOST_THRESHOLDS = 100


class JudgedPath(NamedTuple):
    """The labels and scores of a path's labeled steps, from first to last."""

    targets: Sequence[float]
    scores: Sequence[float]


class FirstErrors(NamedTuple):
    """Counts of paths. Those of several questions add up."""

    found: int = 0
    """Paths whose first error was found exactly."""
    erroneous: int = 0
    passed: int = 0
    """Paths without an error, in which none was found."""
    correct: int = 0

    @property
    def on_erroneous(self) -> float | None:
        return self.found / self.erroneous if self.erroneous else None

    @property
    def on_correct(self) -> float | None:
        return self.passed / self.correct if self.correct else None

    @property
    def f1(self) -> float | None:
        """None without paths of both kinds."""
        return harmonic_mean(self.on_erroneous, self.on_correct)


class StepFigures(NamedTuple):
    """Shares in [0, 1] over the held-out questions. None if nothing could be counted."""

    steps: int
    """Labeled steps."""
    steps_right: float
    """The share of steps that are right. One who calls all steps right has this accuracy."""
    step_accuracy: float
    """Steps whose score is on the side of 0.5 where the label is."""
    steps_in_order: float | None
    """Pairs of a right and a wrong step, of any questions, that the scorer orders correctly. A tie counts half."""
    paths: int
    """Paths with labeled steps."""
    first_error_f1: float | None
    """At a threshold of 0.5."""
    accuracy_on_erroneous: float | None
    accuracy_on_correct: float | None


class AggregationFigures(NamedTuple):
    """The choice among paths by one aggregation of the scores of their steps. See `figures.Figures`."""

    aggregation: str
    questions: int
    best_of_n: float | None
    pairwise: float | None
    majority: float | None
    oracle: float | None


def harmonic_mean(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return None
    return 2 * one * other / (one + other) if one + other else 0.0


def judged_paths(rollout: Rollout, targets: Sequence[float], scores: Sequence[float]) -> list[JudgedPath]:
    """The paths of a question that have steps. `targets` and `scores` are those of all steps that its paths list."""
    chains = [chain for chain in step_chains(rollout.paths) if chain]
    return [JudgedPath([targets[i] for i in chain], [scores[i] for i in chain]) for chain in chains]


def first_below(values: Sequence[float], threshold: float) -> int | None:
    """The index of the first value below the threshold; None if there is none."""
    return next((i for i, value in enumerate(values) if value < threshold), None)


def first_errors(paths: Iterable[JudgedPath], threshold: float = RIGHT_FROM) -> FirstErrors:
    """What the scorer finds in these paths."""
    found = erroneous = passed = correct = 0
    for path in paths:
        error, claimed = first_below(path.targets, RIGHT_FROM), first_below(path.scores, threshold)
        if error is None:
            correct += 1
            passed += claimed is None
        else:
            erroneous += 1
            found += claimed == error
    return FirstErrors(found, erroneous, passed, correct)


def added(counts: Iterable[FirstErrors]) -> FirstErrors:
    return FirstErrors(*map(sum, zip(FirstErrors(), *counts, strict=True)))


def best_threshold(paths: Sequence[JudgedPath]) -> float:
    """The threshold with the highest first-error F1 on these paths: of equally good ones, the one closest to 0.5."""
    scores = sorted({score for path in paths for score in path.scores})
    between = [(one + other) / 2 for one, other in pairwise(scores)]
    tried = [RIGHT_FROM, *between[:: max(1, len(between) // MOST_THRESHOLDS)]]
    return max(tried, key=lambda threshold: (first_errors(paths, threshold).f1 or 0.0, -abs(threshold - RIGHT_FROM)))


def at_other_half(questions: Sequence[tuple[Rollout, Sequence[JudgedPath]]]) -> list[FirstErrors]:
    """What the scorer finds in each question, at the threshold that is best on the other half of the questions."""
    halves = {
        first: [paths for rollout, paths in questions if in_first_half(rollout) is first] for first in (True, False)
    }
    best = {first: best_threshold([path for paths in half for path in paths]) for first, half in halves.items()}
    return [first_errors(paths, best[not in_first_half(rollout)]) for rollout, paths in questions]


def step_figures(
    rollouts: Sequence[Rollout], targets: Sequence[Sequence[float]], scores: Sequence[Sequence[float]]
) -> StepFigures:
    """The figures of scores in [0, 1]. Each argument has an entry for each question."""
    flat = [(target, score) for some in zip(targets, scores, strict=True) for target, score in zip(*some, strict=True)]
    right = [score for target, score in flat if target >= RIGHT_FROM]
    wrong = [score for target, score in flat if target < RIGHT_FROM]
    judged = [path for question in zip(rollouts, targets, scores, strict=True) for path in judged_paths(*question)]
    errors = first_errors(judged)
    return StepFigures(
        steps=len(flat),
        steps_right=len(right) / len(flat),
        step_accuracy=fmean((target >= RIGHT_FROM) == (score >= RIGHT_FROM) for target, score in flat),
        steps_in_order=in_order(right, wrong),
        paths=len(judged),
        first_error_f1=errors.f1,
        accuracy_on_erroneous=errors.on_erroneous,
        accuracy_on_correct=errors.on_correct,
    )


def in_order(right: Sequence[float], wrong: Sequence[float]) -> float | None:
    """The share of pairs in which the right one has the higher score. A tie counts half."""
    if not right or not wrong:
        return None
    import numpy as np

    ranked = np.sort(np.array(wrong))
    below, not_above = (np.searchsorted(ranked, right, side) for side in ("left", "right"))
    return float((below + not_above).sum() / 2 / (len(right) * len(wrong)))


def choices(
    rollouts: Sequence[Rollout], step_scores: Sequence[Sequence[Sequence[float]]], best_of: int
) -> list[AggregationFigures]:
    """The choice by each aggregation. `step_scores` has the scores of the steps of each path of each question."""
    found = []
    for name, aggregate in AGGREGATIONS.items():
        scores = [[aggregate(steps) for steps in paths] for paths in step_scores]
        figures = measure(rollouts, scores, best_of)
        found.append(
            AggregationFigures(
                name, figures.questions, figures.best_of_n, figures.pairwise, figures.majority, figures.oracle
            )
        )
    return found
