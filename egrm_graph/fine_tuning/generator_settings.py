"""The settings of the training of a generator."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from egrm_graph.fine_tuning.fine_tuning_settings import FineTuning
from egrm_graph.fine_tuning.path_rewards import BETA, PathRewardKind


class GeneratorTraining(FineTuning):
    """All settings of the training of a generator."""

    reinforced: ClassVar = (
        *(name for name in FineTuning.reinforced if name not in ("temperature", "rollout_tokens")),
        "reward",
        "beta",
    )
    local: ClassVar = (*FineTuning.local, "questions", "scorer")

    data: Path
    """File to train on, JSON lines or Parquet. Supervised: a mixture of `egrm mixture`, or other rows with a `prompt`
    and a `completion`. With `reinforce`: questions, each with a `reference`."""
    questions: Path | None = None
    """File with held-out questions, each with a `reference`. The generator is measured on them before, during, and
    after the training, and the scorer on the paths that it then writes."""

    reward: PathRewardKind = "pair"
    """What a rollout earns: `answer`, 1 if its answer is right and 0 otherwise; `score`, its score, plus `beta` if it
    is right; `pair`, the mean difference to the scores of the rollouts with the other outcome, plus `beta` if it is
    right, as published."""
    beta: float = Field(default=BETA, ge=0)
    """What a right answer adds to the rewards `score` and `pair`."""
    scale_rewards: Literal["group", "batch", "none"] = "batch"
    """What the advantages are divided by: the standard deviation of the rewards in a group, in the batch, or nothing.
    With `group`, a group that differs only in the scorer's noise would count as much as any other."""
    temperature: float = Field(default=1.0, gt=0, le=2)
    """Sampling temperature of the rollouts, and of the paths of held-out questions."""
    rollout_tokens: int = Field(default=2048, ge=1)
    """The most tokens of a rollout, and of a path of a held-out question."""
    samples: int = Field(default=5, ge=1, le=64)
    """Fast answers of a held-out question."""

    task: str = "auto"
    """How answers are read and compared: `answer` or `arithmetic`; `auto` uses `arithmetic` for the bundled model."""
    prompts: str = "auto"
    """The prompts: a set or a folder. `auto` uses those of the task."""
    scorer: str | None = "auto"
    """Folder of the scorer, which is not trained. `auto` uses the bundled one for the bundled model, and otherwise
    none. Only the reward `answer` works without one."""
    known_as: str | None = None
    """The name by which a graph knows the generator; the bundled one has its own task and scorer. None is the name that
    the base was trained with, or that of its folder."""

    @property
    def files(self) -> dict[str, Path]:
        return {**super().files, **({} if self.questions is None else {"questions": self.questions})}
