"""The scorer Protocol: a scorer gives reasoning paths scores in [0, 1], higher is better, or says why it cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from egrm_graph.scoring.score_calibration import sigmoid

NO_SCORER = "the graph has no scorer"
"""The reason of every unscored path in a graph without a scorer."""


@dataclass(frozen=True)
class Unscored:
    """The reason why a path has no score. It never gets one by default."""

    reason: str


EMPTY_PATH = Unscored("the path is empty")


@runtime_checkable
class Scorer(Protocol):
    """A discriminative scorer S(x, r) of a question and a path. Any number of calls may run at once.

    Source: E-GRM, arXiv:2604.10072.
    """

    @property
    def name(self) -> str:
        """The scorer's name, for messages and traces."""
        ...

    @property
    def calibrated(self) -> bool:
        """Whether its scores were calibrated as probabilities on held-out data."""
        ...

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        """A score in [0, 1] for each path, in order."""
        ...

    async def aclose(self) -> None:
        """Releases threads and weights."""
        ...


@runtime_checkable
class StepScorer(Protocol):
    """A scorer that can also score each step of a path.

    Source: process reward models, Lightman et al. 2023, arXiv:2305.20050.
    """

    async def score_steps(
        self, question: str, paths: Sequence[str], ends: Sequence[Sequence[int]]
    ) -> list[list[float] | Unscored]:
        """For each path, in order, a score in [0, 1] for each of its steps. `ends` has the places where they end, in
        characters of the path, each larger than the one before. A step's score does not depend on what follows it."""
        ...


def squash(logit: float) -> float | Unscored:
    """The sigmoid of a logit, which must be finite to have a score."""
    if not math.isfinite(logit):  # the sigmoid of an infinity would look like a perfect score
        return Unscored(f"the scorer gave {logit}")
    return sigmoid(logit)


def squash_all(logits: Sequence[float]) -> list[float] | Unscored:
    """The sigmoid of each logit. All of them must be finite."""
    scores = [squash(logit) for logit in logits]
    flaw = next((score for score in scores if isinstance(score, Unscored)), None)
    return flaw or [score for score in scores if not isinstance(score, Unscored)]
