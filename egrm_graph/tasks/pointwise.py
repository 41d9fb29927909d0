"""The task `pointwise`: how far one candidate meets a rubric, as a grade on a scale."""

from __future__ import annotations

from collections.abc import Sequence

from egrm_graph.settings import RunSettings
from egrm_graph.tasks.judging import Judging, _judged
from egrm_graph.tasks.task import View
from egrm_graph.verification import Judged, Subject


class Pointwise(Judging):
    """A grade from `lowest_grade` to `highest_grade`."""

    name = "pointwise"
    least = most = 1

    def views(self, subject: Subject, n: int, among: Sequence[str] = ()) -> list[View]:  # noqa: ARG002
        """One view: a candidate alone has no order."""
        judged = _judged(subject)
        labels = self.dialect.grade_labels(judged["grades"])
        return [self._view(subject, judged["texts"], labels, tuple(judged["grades"]), n)]

    def _set_up(self, judged: Judged, settings: RunSettings) -> Judged:
        return {**judged, "grades": list(self.dialect.grades(settings.lowest_grade, settings.highest_grade))}
