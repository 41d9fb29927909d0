"""The accuracy of a choice among N reasoning paths: the majority vote, each selection rule, and the best possible.

Everything is computed from drawn paths (`egrm rollouts`) and their scores, without a model. The paths of a question are
split into sets of N, in the order they were drawn. Every rule chooses in each set, and the question counts by the share
of sets where the choice is right. Intervals are over questions.

Differs from a run of the graph: paths with the correct answer form one class, however they write it. In a tie, the
majority counts the share of right answers, where the graph takes the answer drawn first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType

import numpy as np

from egrm_graph.deciding.selection_rules import SELECTION_RULES, SelectionRule
from egrm_graph.errors import InputError
from egrm_graph.intervals import Estimate, bootstrap
from egrm_graph.training.figures import majority_vote
from egrm_graph.training.rollout_file import Rollout, RolloutPath

Scores = Sequence[Sequence[float | None]]
"""For each question, the score of each path in [0, 1], or None without a score."""
_Choice = Callable[[Sequence[RolloutPath], Sequence[float | None]], float]
"""The value of a choice in one set: 1 if right, 0 if wrong."""

MAJORITY, BEST = "majority vote", "best possible"


@dataclass(frozen=True)
class RuleRow:
    """One rule with one scorer, for sets of one size."""

    scorer: str | None
    """The scorer whose scores decide; None without one."""
    rule: str
    paths: int
    accuracy: Estimate
    ahead_points: Estimate
    """The gain in accuracy over the majority vote, in percentage points, paired."""
    over_full_points: Estimate | None = None
    """The gain over the same rule with the scores of the full paths, paired; None if these are such scores."""


def with_paths(rollouts: Sequence[Rollout], n: int) -> list[Rollout]:
    """The questions with at least `n` paths. This way, sets of every size come from the same questions.

    Raises:
        InputError: no question has enough paths.
    """
    enough = [rollout for rollout in rollouts if len(rollout.paths) >= n]
    if not enough:
        most = max((len(rollout.paths) for rollout in rollouts), default=0)
        raise InputError(
            f"no question has {n} paths, and the most is {most}; choose among fewer, or draw more with --paths {n}"
        )
    return enough


def compare(
    rollouts: Sequence[Rollout],
    scored: Mapping[str, Scores],
    sizes: Sequence[int],
    full: Mapping[str, str] = MappingProxyType({}),
) -> list[RuleRow]:
    """The rows of every scorer and rule by size, between the majority vote and the best possible choice.

    `full` has, for scores that are made of those of steps, the name of the scores of the full paths.

    Every question needs at least as many paths as the largest size. See `with_paths`.
    """
    unscored: Scores = [[None] * len(rollout.paths) for rollout in rollouts]
    rows = []
    for n in sizes:

        def accuracies(choice: _Choice, scores: Scores, n: int = n) -> list[float]:
            return [_accuracy(rollout, own, n, choice) for rollout, own in zip(rollouts, scores, strict=True)]

        majority = accuracies(_majority, unscored)
        choices: list[tuple[str | None, str, list[float]]] = [(None, MAJORITY, majority)]
        for name, scores in scored.items():
            choices += [(name, rule, accuracies(_by(decide), scores)) for rule, decide in SELECTION_RULES.items()]
        choices += [(None, BEST, accuracies(_best, unscored))]
        known = {(scorer, rule): values for scorer, rule, values in choices}
        for scorer, rule, values in choices:
            of_full = known[full[scorer], rule] if scorer is not None and scorer in full else None
            rows.append(_row((scorer, rule), n, values, majority, of_full))
    return rows


def _row(
    choice: tuple[str | None, str],
    n: int,
    values: Sequence[float],
    majority: Sequence[float],
    full: Sequence[float] | None,
) -> RuleRow:
    scorer, rule = choice
    return RuleRow(
        scorer,
        rule,
        n,
        accuracy=bootstrap(np.array([values]), lambda resampled: float(resampled[0].mean())),
        ahead_points=_gain_points(values, majority),
        over_full_points=None if full is None else _gain_points(values, full),
    )


def _gain_points(values: Sequence[float], others: Sequence[float]) -> Estimate:
    columns = np.array([values, others])
    return bootstrap(columns, lambda resampled: 100 * float(resampled[0].mean() - resampled[1].mean()))


def _accuracy(rollout: Rollout, scores: Sequence[float | None], n: int, choice: _Choice) -> float:
    starts = range(0, len(rollout.paths) - n + 1, n)
    return fmean(choice(rollout.paths[start : start + n], scores[start : start + n]) for start in starts)


def _majority(paths: Sequence[RolloutPath], _: Sequence[float | None]) -> float:
    return majority_vote(paths)


def _by(rule: SelectionRule) -> _Choice:
    def choice(paths: Sequence[RolloutPath], scores: Sequence[float | None]) -> float:
        answered = [
            (path, score)
            for path, score in zip(paths, scores, strict=True)
            if path.answer is not None and score is not None
        ]
        if not answered:
            return _majority(paths, scores)
        names = list(dict.fromkeys(_class(path) for path, _ in answered))
        won = rule([names.index(_class(path)) for path, _ in answered], [score for _, score in answered])
        return float(answered[won][0].correct)

    return choice


def _best(paths: Sequence[RolloutPath], _: Sequence[float | None]) -> float:
    return float(any(path.correct for path in paths))


def _class(path: RolloutPath) -> str | None:
    """None for the correct answer, and the text of a wrong one."""
    return None if path.correct else path.answer
