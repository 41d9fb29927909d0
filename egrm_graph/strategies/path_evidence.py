"""What the paths so far say: their scores, and whether they are enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from egrm_graph.drawing.calls import Limits
from egrm_graph.reasons import Reason
from egrm_graph.scoring.grading import grade
from egrm_graph.scoring.scorer import Scorer
from egrm_graph.scoring.step_grading import StepGrading
from egrm_graph.scoring.written_text import written
from egrm_graph.strategies.strategy import PathInView
from egrm_graph.tasks.task import Task
from egrm_graph.uncertainty.stopping import Standing, StoppingRule
from egrm_graph.uncertainty.votes import classes
from egrm_graph.verification import Asked, Path


@dataclass(frozen=True)
class PathEvidence:
    """Scores the paths of a question, and asks a stopping rule about them."""

    asked: Asked
    task: Task
    scorer: Scorer | None
    rule: StoppingRule
    planned: int
    """How many paths there are if the rule never stops."""
    limits: Limits
    score_timeout_s: float
    steps: StepGrading | None = None
    """How paths are graded by their steps; None if only full paths are scored."""

    async def graded(self, drawn: Sequence[PathInView], first: int) -> tuple[list[Path], list[Reason]]:
        """The paths with their scores, and the reasons for missing ones. `first` is the number of paths before these.
        Never raises an `EgrmError`."""
        timeout_s = min(self.score_timeout_s, self.limits.seconds_left or float("inf"))
        texts = [self.task.graded(self.asked, view, written(path)) for path, view in drawn]
        return await grade(self.scorer, texts, [path for path, _ in drawn], timeout_s, first=first, steps=self.steps)

    def enough(self, paths: Sequence[Path]) -> bool:
        """Whether no more paths are needed, given all so far."""
        found = classes([path["answer"] for path in paths], self.task.same)
        return self.rule(Standing(tuple(found), self.planned, tuple(path["score"] for path in paths)))
