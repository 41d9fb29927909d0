"""The task `pointwise`: how well one candidate meets a rubric, as a grade on a scale."""

from __future__ import annotations

from collections.abc import Sequence

from egrm_graph.deciding.candidate_decision import Weighed
from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.rewards import grade_reward
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.judging import Judging, judged_of
from egrm_graph.verification import Judged, Subject, View


class PointwiseTask(Judging):
    """A grade from `lowest_grade` to `highest_grade`."""

    name = "pointwise"
    least = most = 1
    orders = False

    def views(self, subject: Subject, settings: RunSettings, n: int, among: Sequence[str] = ()) -> list[View]:  # noqa: ARG002
        """One view: a candidate alone has no order."""
        judged = judged_of(subject)
        if not self.comparable(judged):
            return []
        grades = self._grades(settings)
        return [self._view(subject, judged["texts"], self.format.grade_labels(grades), grades, n)]

    def outcomes(self, order: Sequence[str], settings: RunSettings) -> Sequence[str]:  # noqa: ARG002
        return self._grades(settings)

    def choose(self, judged: Judged, weighed: Weighed, settings: RunSettings) -> Decision:  # noqa: ARG002
        """The likeliest grade. Of equally likely ones, the lowest: a doubt never counts in a candidate's favor."""
        grades, shares = self._grades(settings), weighed.shares
        answer = max(grades, key=lambda grade: shares.get(grade, 0.0))
        return Decision(
            weighed.status,
            answer,
            confidence=shares[answer],
            reasons=weighed.reasons,
            calibrated=weighed.calibrated,
            best_path=weighed.best.get(answer),
            rewards=[min(1.0, grade_reward(shares, grades))],
            unrewarded=[None],
        )

    def _grades(self, settings: RunSettings) -> tuple[str, ...]:
        return self.format.grades(settings.lowest_grade, settings.highest_grade)
