"""Sets of paths that were drawn and scored for questions with known answers, and what may be chosen among them.

A set is a tree, or the first N of independent samples. Each chooser takes a set and gives 1 if its choice is right and
0 if it is wrong, so that all of them are compared on the same paths. Intervals are over questions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from egrm_graph.deciding.answer_decision import compared_by
from egrm_graph.deciding.selection_rules import SELECTION_RULES
from egrm_graph.intervals import Estimate, bootstrap, ratio
from egrm_graph.steps.aggregation import AGGREGATIONS
from egrm_graph.steps.tree import leaf_priors, leaf_weights
from egrm_graph.verification import Path


@dataclass(frozen=True)
class PathSet:
    """The paths of one question, with the scores of their steps."""

    question: str
    paths: Sequence[Path]
    classes: Sequence[int | None]
    """The number of each path's answer; None without one."""
    right: Sequence[bool]
    scores: Mapping[str, Sequence[Sequence[float] | None]]
    """By scorer, for each path, the scores of its steps; None without any."""
    tokens: int
    """Completion tokens."""
    prompt_tokens: int = 0
    cached_tokens: int = 0

    def first(self, n: int) -> PathSet:
        """The first paths of independent ones, and what these cost."""
        return PathSet(
            self.question,
            self.paths[:n],
            self.classes[:n],
            self.right[:n],
            {name: scores[:n] for name, scores in self.scores.items()},
            tokens=sum(path["n_tokens"] or 0 for path in self.paths[:n]),
        )

    @property
    def leaves(self) -> int:
        return len(self.paths)

    @property
    def anchors(self) -> float:
        """The mean number of anchors of a path, shared ones included."""
        found = [len(each["shared_ends"]) + len(each["anchors"]) for path in self.paths if (each := path.get("branch"))]
        return sum(found) / len(found) if found else math.nan


WEIGHED = "weighed by leaves"
AS_IN_THE_GRAPH = "as in the graph"
Chooser = Callable[[PathSet], float]


def any_right(drawn: PathSet) -> float:
    """The best possible choice."""
    return float(any(drawn.right))


def majority(drawn: PathSet) -> float:
    """Each path is a vote. Among equals, the answer drawn first."""
    return _by_weights(drawn, [1.0] * len(drawn.paths))


def by_probability(drawn: PathSet) -> float:
    """Each leaf of a tree counts by its share of the probability."""
    return _by_weights(drawn, leaf_weights(drawn.paths))


def by_scores(drawn: PathSet, scorers: Sequence[str], aggregation: str, rule: str, leaf_prior: float = 0.0) -> float:
    """The choice of a selection rule, by the aggregated scores of the steps. Those of several scorers are multiplied,
    and by the leaves' shares of the probability to the power `leaf_prior`. A path that one scorer could not score is
    out."""
    scores: list[float | None] = []
    for i in range(len(drawn.paths)):
        steps = [drawn.scores[name][i] for name in scorers]
        scores.append(math.prod(AGGREGATIONS[aggregation](each) for each in steps if each) if all(steps) else None)
    return _selected(drawn, scores, rule, leaf_prior)


def as_in_the_graph(drawn: PathSet, rule: str, leaf_prior: float) -> float:
    """The choice by what the graph compares the paths by. Without any scores, by the leaves' shares of the
    probability."""
    scores = [None if path["score"] is None else compared_by(path, path["score"]) for path in drawn.paths]
    return (
        _selected(drawn, scores, rule, leaf_prior)
        if any(score is not None for score in scores)
        else by_probability(drawn)
    )


def _selected(drawn: PathSet, scores: Sequence[float | None], rule: str, leaf_prior: float) -> float:
    priors = leaf_priors(drawn.paths, leaf_prior)
    scored = [
        (number, priors[i] * score, drawn.right[i])
        for i, (number, score) in enumerate(zip(drawn.classes, scores, strict=True))
        if number is not None and score is not None
    ]
    if not scored:
        return majority(drawn)
    return float(scored[SELECTION_RULES[rule]([each[0] for each in scored], [each[1] for each in scored])][2])


def choosers(scorers: Sequence[str], rule: str = "best_score", leaf_prior: float = 0.0) -> dict[str, Chooser]:
    """Every chooser by name: the best possible, votes, the graph's own choice, and each aggregation of the step scores
    of each scorer, and of all together, by a selection rule; with a `leaf_prior`, also weighed by it."""
    found: dict[str, Chooser] = {"any right": any_right, "majority": majority, "by probability": by_probability}
    found[AS_IN_THE_GRAPH] = partial(as_in_the_graph, rule=rule, leaf_prior=leaf_prior)
    together = "both" if len(scorers) == 2 else "all"
    groups = {name: (name,) for name in scorers} | ({together: tuple(scorers)} if len(scorers) > 1 else {})
    for name, group in groups.items():
        for aggregation in AGGREGATIONS:
            choose = partial(by_scores, scorers=group, aggregation=aggregation, rule=rule)
            found[f"{name}: {aggregation}"] = choose
            if leaf_prior:
                found[f"{name}: {aggregation}, {WEIGHED}"] = partial(choose, leaf_prior=leaf_prior)
    return found


def accuracy(drawn: Sequence[PathSet], choose: Chooser) -> Estimate:
    """The share of questions where the choice is right."""
    values = np.array([[choose(each) for each in drawn]])
    return bootstrap(values, lambda resampled: float(resampled[0].mean()))


def points(drawn: Sequence[PathSet], choose: Chooser, base: Sequence[PathSet], base_choose: Chooser) -> Estimate:
    """The difference between two choices on the same questions, in points, paired."""
    values = np.array([[choose(each) for each in drawn], [base_choose(each) for each in base]])
    return bootstrap(values, lambda resampled: 100 * float(resampled[0].mean() - resampled[1].mean()))


def mean(drawn: Sequence[PathSet], value: Callable[[PathSet], float]) -> Estimate:
    """The mean of a value over the questions that have it."""
    values = np.array([[value(each) for each in drawn]])
    if np.isnan(values).all():
        return Estimate(math.nan, math.nan, math.nan)
    return bootstrap(values, lambda resampled: float(np.nanmean(resampled[0])))


def closed_share(drawn: Sequence[PathSet], choose: Chooser, from_choose: Chooser) -> Estimate:
    """How much of the distance from one choice to the best possible one another choice closes; NaN if there is none."""
    values = np.array([[rule(each) for each in drawn] for rule in (choose, from_choose, any_right)])

    def closed(resampled: np.ndarray) -> float:
        chosen, start, best = resampled.mean(axis=1)
        return float((chosen - start) / (best - start)) if best > start else math.nan

    return bootstrap(values, closed)


def in_order(drawn: Sequence[PathSet], scorer: str, aggregation: str) -> Estimate | None:
    """The share of pairs of a right and a wrong path of one question in which the right one has the higher aggregated
    score. A tie counts half. None without such a pair."""
    aggregate = AGGREGATIONS[aggregation]
    ordered, pairs = [], []
    for each in drawn:
        by_path = zip(each.scores[scorer], each.right, strict=True)
        scored = [(aggregate(steps), is_right) for steps, is_right in by_path if steps]
        right = [score for score, is_right in scored if is_right]
        wrong = [score for score, is_right in scored if not is_right]
        pairs.append(len(right) * len(wrong))
        ordered.append(sum((one > other) + 0.5 * (one == other) for one in right for other in wrong))
    return ratio(ordered, pairs)


def between(drawn: Sequence[PathSet]) -> float:
    """The share of the trees' branch points below which some leaves are right and others are wrong, each weighed by its
    probability: how many labels of steps are neither 0 nor 1."""
    labels = [label for each in drawn for label in _labels(each)]
    return sum(0.0 < label < 1.0 for label in labels) / len(labels) if labels else math.nan


def _labels(drawn: PathSet) -> list[float]:
    weights = leaf_weights(drawn.paths)
    below: dict[tuple[int, ...], list[int]] = {}
    starts: set[tuple[int, ...]] = set()
    for path in drawn.paths:
        if (branch := path.get("branch")) is not None and branch["parent"] is not None:
            starts.add(tuple(branch["token_ids"][: branch["at"]]))
    for i, path in enumerate(drawn.paths):
        if (branch := path.get("branch")) is None or path["error"] is not None:
            continue
        ids = tuple(branch["token_ids"])
        below[ids] = [i]
        for start in starts:
            if ids[: len(start)] == start:
                below.setdefault(start, []).append(i)
    shares: list[float] = []
    for leaves in below.values():
        total = sum(weights[i] for i in leaves)
        if total > 0:
            shares.append(min(1.0, sum(weights[i] for i in leaves if drawn.right[i]) / total))
    return shares


def _by_weights(drawn: PathSet, weights: Sequence[float]) -> float:
    counted: dict[int, float] = {}
    firsts: dict[int, bool] = {}
    for number, weight, right in zip(drawn.classes, weights, drawn.right, strict=True):
        if number is not None:
            counted[number] = counted.get(number, 0.0) + weight
            firsts.setdefault(number, right)
    return float(firsts[max(counted, key=lambda number: counted[number])]) if counted else 0.0
