"""Entropy trees at several thresholds, next to independent samples, on questions with known answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from egrm_graph.benchmark.demo_methods import is_right, reasoned
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.benchmark.path_sets import (
    Chooser,
    PathSet,
    accuracy,
    any_right,
    between,
    by_probability,
    closed_share,
    in_order,
    majority,
    mean,
    points,
)
from egrm_graph.errors import SettingsError
from egrm_graph.intervals import Estimate
from egrm_graph.parts import Parts
from egrm_graph.scoring.scorer import Scorer, StepScorer, Unscored
from egrm_graph.scoring.step_grading import step_grading
from egrm_graph.scoring.step_profile import DEFAULT_AGGREGATION
from egrm_graph.scoring.written_text import written
from egrm_graph.strategies.entropy_tree import EntropyTree
from egrm_graph.uncertainty.votes import classes
from egrm_graph.verification import Path


@dataclass(frozen=True)
class SetDrawing:
    """One way to draw a set of paths."""

    name: str
    settings: Mapping[str, Any]
    sizes: Sequence[int] = ()
    """Of independent samples: how many of them make a set. Empty for a tree."""


def drawings(
    entropies: Sequence[float], quantiles: Sequence[float], pruned: Sequence[float], samples: Sequence[int]
) -> list[SetDrawing]:
    """A tree for each threshold (nats), each quantile, and, at the first threshold, each bound for pruning; and
    independent samples.

    Raises:
        SettingsError: a bound for pruning has no threshold.
    """
    tree = {"strategy": EntropyTree.name, "path_stopping": "all"}
    found = [SetDrawing(f"tree, H > {value:g}", {**tree, "anchor_entropy": value}) for value in entropies]
    found += [
        SetDrawing(f"tree, quantile {value:g}", {**tree, "anchor_entropy": 0.0, "anchor_quantile": value})
        for value in quantiles
    ]
    if pruned and not entropies:
        raise SettingsError("--prune needs a threshold to prune at; add --entropies")
    found += [
        SetDrawing(
            f"tree, H > {entropies[0]:g}, pruned below {value:g}",
            {**tree, "anchor_entropy": entropies[0], "prune_below": value},
        )
        for value in pruned
    ]
    if samples:
        plain = {"strategy": "plain", "path_stopping": "all", "paths": max(samples)}
        found.append(SetDrawing("samples", plain, sizes=sorted(samples)))
    return found


async def draw_sets(
    parts: Parts,
    questions: Sequence[BenchQuestion],
    drawing: SetDrawing,
    scorers: Mapping[str, Scorer],
    *,
    advance: Callable[[], None],
    concurrency: int,
) -> dict[str, list[PathSet]]:
    """The sets of all questions, by the name of the drawing, or by the number of samples, scored by all `scorers`.

    Raises:
        SettingsError: the settings of the drawing do not fit, or a scorer cannot score the steps.
    """
    own = replace(parts, settings=parts.settings.overridden(dict(drawing.settings)))
    own.check_settings(own.settings)
    rule = _rule_of_steps(parts, scorers)
    slots = asyncio.Semaphore(concurrency)

    async def one(question: BenchQuestion) -> PathSet:
        async with slots:
            drawn = await _drawn(own, question, scorers, rule)
            advance()
            return drawn

    sets = list(await asyncio.gather(*map(one, questions)))
    if not drawing.sizes:
        return {drawing.name: sets}
    return {f"{n} samples": [each.first(n) for each in sets] for n in drawing.sizes}


async def _drawn(parts: Parts, question: BenchQuestion, scorers: Mapping[str, Scorer], rule: str | None) -> PathSet:
    state, expanded, scored = await reasoned(parts, question)
    paths, usage = scored["paths"], expanded["usage"]
    asked = state["asked"]["question"]
    return PathSet(
        question.id,
        paths,
        classes([path["answer"] for path in paths], parts.task.same),
        [is_right(parts, question, path["answer"]) for path in paths],
        {name: await _scores(parts, scorer, asked, paths, rule) for name, scorer in scorers.items()},
        tokens=usage["completion_tokens"],
        prompt_tokens=usage["prompt_tokens"],
        cached_tokens=usage["cached_tokens"],
    )


def _rule_of_steps(parts: Parts, scorers: Mapping[str, Scorer]) -> str | None:
    """Where steps end, by the settings or else by the first scorer that was trained on steps; None if nothing says so.

    Raises:
        SettingsError: a scorer cannot score steps, or the settings do not say where they end.
    """
    if parts.settings.steps != "auto":
        return None if parts.settings.steps == "none" else parts.settings.steps
    gradings = [step_grading(scorer, "auto", "auto") for scorer in scorers.values()]
    return next((grading.rule for grading in gradings if grading is not None), None)


async def _scores(
    parts: Parts, scorer: Scorer, question: str, paths: Sequence[Path], rule: str | None
) -> list[Sequence[float] | None]:
    """For each path, the scores of its steps; without a rule for steps, the score of the path."""
    if scorer is parts.path_scorer(parts.settings):
        grading = parts.step_grading(parts.settings)
        if (None if grading is None else grading.rule) == rule:
            return [_own_scores(path) for path in paths]
    steps = None if rule is None else step_grading(scorer, rule, "auto")
    answered = [i for i, path in enumerate(paths) if path["answer"] is not None]
    texts = [written(paths[i]) for i in answered]
    found: Sequence[list[float] | float | Unscored]
    if steps is None:
        found = await scorer.score(question, texts)
    else:
        assert isinstance(scorer, StepScorer)  # `step_grading` has checked it
        found = await scorer.score_steps(question, texts, [steps.ends(paths[i]) for i in answered])
    by_path: dict[int, Sequence[float]] = {}
    for i, scores in zip(answered, found, strict=True):
        if not isinstance(scores, Unscored):
            by_path[i] = scores if isinstance(scores, list) else [scores]
    return [by_path.get(i) for i in range(len(paths))]


def _own_scores(path: Path) -> Sequence[float] | None:
    if (steps := path.get("steps")) is not None:
        return [step["score"] for step in steps]
    return None if path["score"] is None else [path["score"]]


@dataclass(frozen=True)
class TreeRow:
    """The figures of one set of paths."""

    name: str
    any_right: Estimate
    majority: Estimate
    by_probability: Estimate
    """By the leaves' shares of the probability; of samples, by their number."""
    chosen: Estimate
    """By the chooser of the table."""
    ahead_points: Estimate | None
    """Of that choice over the one in the sets that all are compared with; None for these."""
    tokens: Estimate
    leaves: float
    anchors: float
    between: float
    """The share of labels of steps that are neither 0 nor 1."""
    in_order: Mapping[str, Estimate | None]
    """By scorer: the share of pairs of a right and a wrong path that products of its step scores order correctly."""
    cached: float
    """The share of prompt tokens that the server had in its cache."""


def tree_rows(sets: Mapping[str, Sequence[PathSet]], choose: Chooser, base: str) -> list[TreeRow]:
    """A row for each set. `base` is the name of the sets that the others are compared with."""
    return [
        TreeRow(
            name,
            accuracy(drawn, any_right),
            accuracy(drawn, majority),
            accuracy(drawn, by_probability),
            accuracy(drawn, choose),
            None if name == base else points(drawn, choose, sets[base], choose),
            mean(drawn, lambda each: each.tokens),
            mean(drawn, lambda each: each.leaves).value,
            mean(drawn, lambda each: each.anchors).value,
            between(drawn),
            {name: in_order(drawn, name, DEFAULT_AGGREGATION) for name in (drawn[0].scores if drawn else ())},
            _cached(drawn),
        )
        for name, drawn in sets.items()
    ]


@dataclass(frozen=True)
class ChoiceRow:
    """One chooser on one set of paths."""

    name: str
    accuracy: Estimate
    ahead_points: Estimate
    """Over the choice by the score of the full path."""
    closed: Estimate
    """How much of the distance from that choice to the best possible one it closes."""


def choice_rows(drawn: Sequence[PathSet], by_name: Mapping[str, Chooser], end_choice: str) -> list[ChoiceRow]:
    """A row for each chooser, compared with the one by the score of the full path."""
    end = by_name[end_choice]
    return [
        ChoiceRow(name, accuracy(drawn, rule), points(drawn, rule, drawn, end), closed_share(drawn, rule, end))
        for name, rule in by_name.items()
    ]


def end_choice(scorers: Sequence[str]) -> str:
    """The name of the choice by the score of the full path."""
    return f"{scorers[0]}: last" if scorers else "by probability"


def _cached(drawn: Sequence[PathSet]) -> float:
    total = sum(each.prompt_tokens for each in drawn)
    return sum(each.cached_tokens for each in drawn) / total if total else 0.0
