"""The labels of steps: which one is learned, where steps end, and the steps that the paths of a tree share."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from egrm_graph.errors import InputError
from egrm_graph.steps.cutting import step_cutter
from egrm_graph.training.rollout_file import Rollout, RolloutPath, RolloutStep

StepLabels = Literal["value", "share", "any"]

RIGHT_FROM = 0.5
"""A step counts as right from this label or score."""
RULES = ("lines", r"\n{2,}")
"""The rules that are tried if none is given."""


def label_of(step: RolloutStep, labels: StepLabels) -> float:
    """The label of this kind, in [0, 1].

    Raises:
        InputError: the step has none.
    """
    label: float | bool | None = getattr(step, labels)
    if label is None:
        raise InputError(
            f"a step has no {labels!r}, which only the leaves of a tree give; use --labels value, or draw a tree with "
            "`egrm rollouts --strategy entropy_tree`"
        )
    return float(label)


def step_chains(paths: Sequence[RolloutPath]) -> list[list[int]]:
    """The steps of each path from first to last, as indices into the steps of all paths in order.

    A path lists only the steps that it shares with no path before it. The others are those of the earlier paths, up to
    where the texts differ.
    """
    first = [sum(len(path.steps) for path in paths[:i]) for i in range(len(paths))]
    chains = []
    for j, path in enumerate(paths):
        at = {step.end: first[j] + k for k, step in enumerate(path.steps)}
        for i, earlier in enumerate(paths[:j]):
            for k, step in enumerate(earlier.steps):
                if path.text.startswith(earlier.text[: step.end]):
                    at.setdefault(step.end, first[i] + k)
        chains.append([at[end] for end in sorted(at)])
    return chains


def without_merged(rollouts: Sequence[Rollout], share: float, seed: int) -> list[Rollout]:
    """The rollouts, in which this share of the steps is merged with the step that follows.

    A merged step has the end and the label of its second half. The model reads all of the text either way, so its first
    half only loses its label: an error that the next step corrects costs less. The choice depends on nothing but the
    seed, the question, and the path.

    Source: Hierarchical Reward Model, arXiv:2503.13551.
    Differs: any two steps in a row can be merged, at any depth, and those of a path without branches, too.
    """
    return [
        rollout.model_copy(update={"paths": tuple(_merged(rollout, i, share, seed) for i in range(len(rollout.paths)))})
        for rollout in rollouts
    ]


def _merged(rollout: Rollout, index: int, share: float, seed: int) -> RolloutPath:
    path = rollout.paths[index]
    rng = random.Random(f"{seed} {rollout.id} {index}")
    merged = tuple(step for step in path.steps[:-1] if rng.random() >= share)
    return path.model_copy(update={"steps": (*merged, *path.steps[-1:])})


def where_steps_end(rollouts: Sequence[Rollout]) -> str:
    """The rule that cuts every path at the ends of its labeled steps, and least often elsewhere.

    Raises:
        InputError: the built-in rules do not.
    """
    paths = [path for rollout in rollouts for path in rollout.paths if path.steps]
    more = {rule: _more_cuts(paths, rule) for rule in RULES}
    known = {rule: count for rule, count in more.items() if count is not None}
    if not known:
        example = next(path for path in paths if _more_cuts([path], "lines") is None)
        raise InputError(
            f"the labeled steps do not end where lines end, as in {example.text[: example.steps[0].end][-60:]!r}, so "
            "say where steps end when the scorer is used: --step-end with lines, sentences, or a regular expression"
        )
    return min(known, key=lambda rule: known[rule])


def _more_cuts(paths: Sequence[RolloutPath], rule: str) -> int | None:
    """How many more steps the rule cuts than are labeled, up to the last labeled one; None if it misses one."""
    cut = step_cutter(rule)
    more = 0
    for path in paths:
        ends = set(cut(path.text))
        if any(step.end not in ends for step in path.steps):
            return None
        more += sum(end <= path.steps[-1].end for end in ends) - len(path.steps)
    return more


def elsewhere(rollouts: Sequence[Rollout], rule: str) -> int:
    """The number of labeled steps that end where the rule does not cut."""
    cut = step_cutter(rule)
    paths = [path for rollout in rollouts for path in rollout.paths if path.steps]
    return sum(step.end not in ends for path in paths for ends in [set(cut(path.text))] for step in path.steps)
