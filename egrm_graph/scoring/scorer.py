"""What a scorer is: it grades reasoning paths in [0, 1], higher is better, or says why it cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from egrm_graph.scoring.score_calibration import sigmoid

NO_SCORER = "the graph has no scorer"
"""Why no path has a score in a graph that was built without one."""


@dataclass(frozen=True)
class Unscored:
    """A path that has no score, and why. It is never given one by default."""

    reason: str


@runtime_checkable
class Scorer(Protocol):
    """A discriminative scorer S(x, r) of a question and a path. Any number of calls may be under way at once.

    Source: E-GRM, arXiv:2604.10072.
    """

    @property
    def name(self) -> str:
        """What the scorer is called in messages and traces."""
        ...

    @property
    def calibrated(self) -> bool:
        """Whether its score was fitted to be a probability on held-out data."""
        ...

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        """A score in [0, 1] for each path, in order."""
        ...

    async def aclose(self) -> None:
        """Lets go of threads and weights."""
        ...


def squash(logit: float) -> float | Unscored:
    """The sigmoid of a logit; none where it is not a number."""
    if not math.isfinite(logit):  # the sigmoid of an infinity would look like a perfect score
        return Unscored(f"the scorer gave {logit}")
    return sigmoid(logit)
