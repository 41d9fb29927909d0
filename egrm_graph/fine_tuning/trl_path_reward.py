"""The reward of a generator's paths as a function that TRL's `GRPOTrainer` calls.

A group is a run of completions with the same question and reference; TRL puts the completions of a prompt next to each
other. A reward that is missing is None. TRL 1.16 leaves it out of the mean of its group, and gives that completion an
advantage of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from statistics import fmean
from typing import Any, NamedTuple

from egrm_graph.errors import InputError
from egrm_graph.fine_tuning.path_grading import PathGrader, WrittenPath
from egrm_graph.fine_tuning.path_rewards import (
    WITHOUT_SPREAD,
    GradedPath,
    PathReward,
    PathRewardKind,
    path_rewards,
)
from egrm_graph.fine_tuning.trl_trainers import Rewarder
from egrm_graph.runtime.background_loop import BackgroundLoop


class AskedPath(NamedTuple):
    """A completion, and the question that it answers."""

    question: str
    reference: str
    path: WrittenPath


class RewardedPath(NamedTuple):
    """A completion with what it earns."""

    question: str
    reference: str
    graded: GradedPath
    reward: PathReward


async def rewarded_paths(
    grader: PathGrader, kind: PathRewardKind, beta: float, paths: Sequence[AskedPath]
) -> list[RewardedPath]:
    """Each path with its reward. Paths of a group are adjacent. A question that cannot be asked has no rewards.

    Groups are graded one after another. So the batches of the scorer, and with them the last digits of its scores, do
    not depend on timing, and a training that is resumed comes to the same weights.
    """
    found: list[RewardedPath] = []
    for (question, reference), group in groupby(paths, key=lambda asked: (asked.question, asked.reference)):
        written = [asked.path for asked in group]
        try:
            graded = await grader.grade(question, reference, written)
            rewards = path_rewards(kind, graded, beta)
        except InputError as error:
            graded = [GradedPath(None, None, str(error))] * len(written)
            rewards = [(None, str(error))] * len(written)
        found += [RewardedPath(question, reference, *pair) for pair in zip(graded, rewards, strict=True)]
    return found


def reward_figures(rewarded: Sequence[RewardedPath]) -> dict[str, float]:
    """The figures of a batch of at least one path; `score` only if there are scores.

    `right` counts what cannot be read as wrong. `without_spread` is the share of groups that give no reward because
    their paths are all alike.
    """
    groups = [list(group) for _, group in groupby(rewarded, key=lambda each: (each.question, each.reference))]
    scores = [each.graded.score for each in rewarded if each.graded.score is not None]
    figures = {
        "right": fmean(bool(each.graded.right) for each in rewarded),
        "unreadable": fmean(each.graded.right is None for each in rewarded),
        "unrewarded": fmean(each.reward[0] is None for each in rewarded),
        "without_spread": fmean(any(each.reward[1] in WITHOUT_SPREAD for each in group) for group in groups),
    }
    return figures | ({"score": fmean(scores)} if scores else {})


def completion_text(completion: Any) -> str:
    """The text of a completion in TRL's form: a text, or messages that end with the assistant's. Empty if it has none,
    and then it has no answer."""
    last = completion[-1] if isinstance(completion, Sequence) and completion else None
    text = completion if isinstance(completion, str) else last.get("content") if isinstance(last, Mapping) else None
    return text if isinstance(text, str) else ""


def log_rewards(rewarded: Sequence[RewardedPath], columns: Mapping[str, Any]) -> None:
    """Log the figures, and why rewards are missing, where TRL offers to."""
    log_extra: Callable[[str, list[str]], None] | None = columns.get("log_extra")
    if log_extra is not None:
        log_extra("unrewarded", [each.reward[1] or "" for each in rewarded])
    log_metric: Callable[[str, float], None] | None = columns.get("log_metric")
    if log_metric is not None and rewarded:
        for name, value in reward_figures(rewarded).items():
            log_metric(name, value)


def path_rewarder(
    grader: PathGrader, kind: PathRewardKind, beta: float, loop: BackgroundLoop, end_ids: Collection[int]
) -> Rewarder:
    """The reward function of a training. Rows have a `question` and a `reference`. A completion is complete if its last
    token is one of `end_ids`."""
    ends = frozenset(end_ids)

    def reward(
        *,
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]],
        question: Sequence[str],
        reference: Sequence[str],
        **columns: Any,
    ) -> list[float | None]:
        written = [
            WrittenPath(completion_text(completion), complete=bool({*ids[-1:]} & ends))
            for completion, ids in zip(completions, completion_ids, strict=True)
        ]
        paths = list(map(AskedPath, question, reference, written))
        rewarded = loop.run(rewarded_paths(grader, kind, beta, paths))
        log_rewards(rewarded, columns)
        return [each.reward[0] for each in rewarded]

    return reward
