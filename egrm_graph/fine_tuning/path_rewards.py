"""Rewards for reinforcing a generator: what each path of one question earns, given its score and its answer.

With S the score of a path, and right = 1 if its answer is right and 0 otherwise, path i earns

    answer   right_i
    score    S_i + beta * right_i
    pair     the mean over all paths j with the other outcome of S_i - S_j + beta * right_i

So a right path earns S_i - mean S(wrong) + beta, and a wrong one S_i - mean S(right). Up to a constant of the
question, which cancels in the advantage, a pair reward is S_i + (beta + m) * right_i, where m = mean S(right) - mean
S(wrong): a score reward whose bonus grows with the scorer's own margin. The bonus is largest where the scorer already
tells the paths apart, and it is negative if the scorer prefers the wrong ones by more than beta.

A missing reward is not a number. A path without a readable answer, or without a score that the reward needs, has none,
and leaves its group: the others are compared without it. A group whose paths are all alike gives no reward at all: all
right or all wrong (`answer`, `pair`), or equal in score and outcome (`score`).

Source: S(x, r+) - S(x, r-) + beta * 1[answer(r+) = y], E-GRM, arXiv:2604.10072.
Differs: the source names neither beta nor which paths of a group r+ and r- are. Here each path is r+ once, against all
paths with the other outcome, so no pair depends on chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Literal, NamedTuple, TypeAlias

PathRewardKind = Literal["answer", "score", "pair"]
BETA = 1.0
"""The default bonus of a right answer. Scores are in [0, 1], so with `score` and this bonus, no wrong path earns more
than a right one."""

PathReward: TypeAlias = tuple[float | None, str | None]
"""A reward and None, or None and the reason why it is missing."""

NO_ANSWER = "no answer could be read"
ALL_RIGHT = "all paths of the group are right"
ALL_WRONG = "all paths of the group are wrong"
ALL_EQUAL = "all paths of the group earn the same"
NOTHING_TO_COMPARE = "no other path of the group has a reward to compare with"
WITHOUT_SPREAD = (ALL_RIGHT, ALL_WRONG, ALL_EQUAL, NOTHING_TO_COMPARE)
"""The reasons of groups that give no reward because nothing in them differs."""


class GradedPath(NamedTuple):
    """A path as the rewards see it."""

    right: bool | None
    """Whether its answer is right; None if none could be read."""
    score: float | None
    """The scorer's score in [0, 1]; None if there is none."""
    unscored: str | None = None
    """Why it has no score."""


def path_rewards(kind: PathRewardKind, group: Sequence[GradedPath], beta: float = BETA) -> list[PathReward]:
    """The reward of each path in a group, which is all paths of one question, or None and the reason.

    Source: E-GRM, arXiv:2604.10072.
    """
    missing = [_missing(kind, path) for path in group]
    usable = [path for path, reason in zip(group, missing, strict=True) if reason is None]
    alike = _alike(kind, usable)
    reasons = [alike if reason is None else reason for reason in missing]
    means = _means(usable) if kind == "pair" and alike is None else (0.0, 0.0)
    return [
        (_reward(kind, path, beta, means), None) if reason is None else (None, reason)
        for path, reason in zip(group, reasons, strict=True)
    ]


def _missing(kind: PathRewardKind, path: GradedPath) -> str | None:
    """Why the path itself can have no reward."""
    if path.right is None:
        return NO_ANSWER
    if kind != "answer" and path.score is None:
        return path.unscored or "the path has no score"
    return None


def _alike(kind: PathRewardKind, usable: Sequence[GradedPath]) -> str | None:
    """Why the group gives no reward."""
    if len(usable) < 2:
        return NOTHING_TO_COMPARE
    if kind == "score":
        return ALL_EQUAL if len({(path.right, path.score) for path in usable}) == 1 else None
    if len({path.right for path in usable}) == 1:
        return ALL_RIGHT if usable[0].right else ALL_WRONG
    return None


def _means(usable: Sequence[GradedPath]) -> tuple[float, float]:
    """The mean scores of the wrong and of the right paths."""
    wrong = fmean(path.score or 0.0 for path in usable if not path.right)
    right = fmean(path.score or 0.0 for path in usable if path.right)
    return wrong, right


def _reward(kind: PathRewardKind, path: GradedPath, beta: float, means: tuple[float, float]) -> float:
    right, score = bool(path.right), path.score or 0.0
    if kind == "answer":
        return float(right)
    if kind == "score":
        return score + beta * right
    wrong_mean, right_mean = means
    return score - wrong_mean + beta if right else score - right_mean
