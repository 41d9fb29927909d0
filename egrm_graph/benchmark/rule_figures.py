"""What a choice among N reasoning paths is worth: the majority's, each rule's on a scorer's scores, the best possible.

Everything is computed from drawn paths (`egrm rollouts`) and their scores, with no model. A question's paths are cut
into sets of N in drawing order, every rule chooses in each of them, and a question counts by the share of its sets
that came out right; intervals are over questions.

Differs from a run of the graph: paths with the right answer are one class whatever the spelling, and a tie of the
majority counts its right share, where the graph takes the answer drawn first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from egrm_graph.deciding.selection_rules import SELECTION_RULES, SelectionRule
from egrm_graph.errors import InputError
from egrm_graph.intervals import Estimate, bootstrap
from egrm_graph.training.figures import majority_vote
from egrm_graph.training.rollout_file import Rollout, RolloutPath

Scores = Sequence[Sequence[float | None]]
"""For each question, each path's score in [0, 1], or None where it has none."""
Choice = Callable[[Sequence[RolloutPath], Sequence[float | None]], float]
"""What a choice in one set is worth: 1 right, 0 wrong."""

MAJORITY, BEST = "majority vote", "best possible"


@dataclass(frozen=True)
class Row:
    """One way to choose, for sets of one size."""

    scorer: str | None
    """Whose scores decided; None where none did."""
    rule: str
    paths: int
    accuracy: Estimate
    ahead_points: Estimate
    """Its accuracy less the majority vote's, in percentage points; paired."""


def with_paths(rollouts: Sequence[Rollout], n: int) -> list[Rollout]:
    """The questions that have at least `n` paths, so that sets of every size are of the same questions.

    Raises:
        InputError: there is none.
    """
    kept = [rollout for rollout in rollouts if len(rollout.paths) >= n]
    if not kept:
        most = max((len(rollout.paths) for rollout in rollouts), default=0)
        raise InputError(
            f"no question has {n} paths; the most is {most}: choose among fewer, or draw more (--paths {n})"
        )
    return kept


def compare(rollouts: Sequence[Rollout], scored: Mapping[str, Scores], sizes: Sequence[int]) -> list[Row]:
    """The rows of every scorer and rule, size by size, between the majority vote and the best possible.

    Every question has at least as many paths as the largest size; see `with_paths`.
    """
    unscored: Scores = [[None] * len(rollout.paths) for rollout in rollouts]
    rows = []
    for n in sizes:

        def worth(choice: Choice, scores: Scores, n: int = n) -> list[float]:
            return [_worth(rollout, found, n, choice) for rollout, found in zip(rollouts, scores, strict=True)]

        majority = worth(_majority, unscored)
        ways: list[tuple[str | None, str, list[float]]] = [(None, MAJORITY, majority)]
        for name, scores in scored.items():
            ways += [(name, rule, worth(_by(decide), scores)) for rule, decide in SELECTION_RULES.items()]
        ways += [(None, BEST, worth(_best, unscored))]
        rows += [_row(scorer, rule, n, values, majority) for scorer, rule, values in ways]
    return rows


def _row(scorer: str | None, rule: str, n: int, values: Sequence[float], majority: Sequence[float]) -> Row:
    columns = np.array([values, majority])
    return Row(
        scorer,
        rule,
        n,
        accuracy=bootstrap(columns, lambda resampled: float(resampled[0].mean())),
        ahead_points=bootstrap(columns, lambda resampled: 100 * float(resampled[0].mean() - resampled[1].mean())),
    )


def _worth(rollout: Rollout, scores: Sequence[float | None], n: int, choice: Choice) -> float:
    starts = range(0, len(rollout.paths) - n + 1, n)
    return fmean(choice(rollout.paths[start : start + n], scores[start : start + n]) for start in starts)


def _majority(paths: Sequence[RolloutPath], _: Sequence[float | None]) -> float:
    return majority_vote(paths)


def _by(rule: SelectionRule) -> Choice:
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
    """None for the right answer, and for a wrong one its text."""
    return None if path.correct else path.answer
