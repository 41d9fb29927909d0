"""The reward of a judge: 1 for the right verdict, and -1 otherwise.

A verdict that cannot be read is not right either, so it has -1; a judge that reasons for too long learns to end. The
verdict is read by the task, as in the graph.

Source: Mix-GRM, arXiv:2603.01571. Differs: the paper gives -1 to a verdict other than the label, and does not say what
one that cannot be read has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from egrm_graph.fine_tuning.judge_prompts import JudgePrompt
from egrm_graph.fine_tuning.judgment_figures import LabeledJudgment, share
from egrm_graph.fine_tuning.trl_trainers import Rewarder
from egrm_graph.tasks.judging import Judging

RIGHT = 1.0
WRONG = -1.0


def verdict_reward(judged: LabeledJudgment) -> float:
    """The reward of one judgment."""
    return RIGHT if judged.right else WRONG


def without_spread(rewards: Sequence[float | None], group_size: int) -> float:
    """The share of groups whose rewards are all the same, or missing. Nothing is learned from them."""
    groups = [rewards[i : i + group_size] for i in range(0, len(rewards), group_size)]
    return share(len({reward for reward in group if reward is not None}) < 2 for group in groups)


def verdict_rewards(
    task: Judging, prompts: Sequence[JudgePrompt], *, end_ids: Collection[int], group_size: int
) -> Rewarder:
    """The reward function for TRL's `GRPOTrainer`. A row's `place` says which of the prompts it is. A completion is
    complete if its last token is one of `end_ids`.

    It logs the share of right and of unreadable verdicts, of judgments whose structure fits the domain, and of groups
    without spread.
    """

    ends = frozenset(end_ids)

    def verdict(
        *, completions: Sequence[Any], completion_ids: Sequence[Sequence[int]], place: Sequence[int], **columns: Any
    ) -> list[float | None]:
        judged = [
            LabeledJudgment.read(
                task, prompts[i].pair, prompts[i].view, _text(completion), len(ids), complete=bool({*ids[-1:]} & ends)
            )
            for completion, ids, i in zip(completions, completion_ids, place, strict=True)
        ]
        rewards: list[float | None] = [verdict_reward(each) for each in judged]
        log: Callable[[str, float], None] = columns["log_metric"]
        log("right", share(each.right for each in judged))
        log("unreadable", share(each.verdict is None for each in judged))
        log("without_spread", without_spread(rewards, group_size))
        if fits := [each.fits for each in judged if each.fits is not None]:
            log("fit", share(fits))
        return rewards

    return verdict


def _text(completion: Any) -> str:
    """The text of a completion: a text, or one message of the assistant."""
    return completion if isinstance(completion, str) else str(completion[-1]["content"] or "")
