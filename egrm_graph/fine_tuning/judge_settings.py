"""The settings of the training of a judge."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from egrm_graph.fine_tuning.fine_tuning_settings import FineTuning


class JudgeTraining(FineTuning):
    """All settings of the training of a judge."""

    reinforced: ClassVar[tuple[str, ...]] = ("group_size", "kl", "scale_rewards", "vllm", "vllm_url", "shuffle_labels")
    local: ClassVar[tuple[str, ...]] = (*FineTuning.local, "pairs")

    data: Path
    """File to train on, JSON lines or Parquet. Supervised: rows with a `prompt` and a `completion`, each a text or a
    list of chat messages. With `reinforce`: judged pairs, each with a `question`, `candidates`, and a `reference`."""
    pairs: Path | None = None
    """File with held-out judged pairs. Their verdicts are measured before, during, and after the training."""

    temperature: float = Field(default=0.8, gt=0, le=2)
    """Sampling temperature of the rollouts, and of the judgments of held-out pairs."""
    rollout_tokens: int = Field(default=2048, ge=1)
    """The most tokens of a rollout, and of the judgment of a held-out pair."""

    task: str = "pairwise"
    """How pairs are judged: `pairwise`, or another task that judges candidates."""
    strategy: str = "plain"
    """The path strategy whose prompts the judge gets. It has to draw independent paths, each in one call."""
    prompts: str = "auto"
    """The prompts: a set or a folder. `auto` uses those of the task."""
    judged_as: str | None = None
    """The name by which a graph knows the judge. A bundled judge has a format of its own. None is the name that the
    base was trained with, or that of its folder."""

    shuffle_labels: bool = False
    """Whether to permute the right verdicts among the pairs to train on, within each domain: a control, from which no
    judge can learn which candidate is right."""

    @property
    def files(self) -> dict[str, Path]:
        return {**super().files, **({} if self.pairs is None else {"pairs": self.pairs})}
