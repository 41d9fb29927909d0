"""Grades the paths that a generator writes in training: whether the answer is right, and the scorer's score."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from egrm_graph.clients.client import Completion
from egrm_graph.drawing.samples import sample_of
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.fine_tuning.path_rewards import GradedPath
from egrm_graph.parts import scorer_of
from egrm_graph.scoring.grading import grade
from egrm_graph.scoring.scorer import Scorer
from egrm_graph.scoring.step_grading import step_grading
from egrm_graph.settings import Settings
from egrm_graph.tasks import task_named
from egrm_graph.tasks.task import Task
from egrm_graph.verification import Asked, Path, View


class WrittenPath(NamedTuple):
    """A path as a generator wrote it."""

    text: str
    complete: bool = True
    """False if it was cut at its maximum length. Then it has no answer, as in the graph."""


@dataclass(frozen=True)
class PathGrader:
    """Reads and scores paths with the task and the scorer of the graph, so both mean the same as there."""

    task: Task
    settings: Settings
    scorer: Scorer | None
    """None if only answers count."""

    @classmethod
    def of(cls, settings: Settings, *, continues_prompt: bool = False) -> PathGrader:
        """The grader with the task and the scorer that the settings name. `continues_prompt` says whether the generator
        has no chat template, so that it writes on after its answer.

        Raises:
            SettingsError: the task judges candidates, or is unknown.
            ModelError: the scorer cannot be loaded.
        """
        task = task_named(settings.task_name, bundled=settings.bundled, first=continues_prompt)
        if "orders" in task.provides:
            raise SettingsError(
                f"the task {task.name!r} judges candidates, and a generator answers questions; set task (--task) to "
                "answer or arithmetic"
            )
        return cls(task, settings, scorer_of(settings))

    async def grade(self, question: str, reference: str, paths: Sequence[WrittenPath]) -> list[GradedPath]:
        """Each path, in order, with its outcome and its score, or why it has none.

        Raises:
            InputError: the task cannot ask the question, or there is no reference.
        """
        asked, view = self._asked(question, reference, len(paths))
        drawn = [self._path(path, view) for path in paths]
        texts = [self.task.graded(asked, view, path["text"] or "") for path in drawn]
        steps = step_grading(self.scorer, self.settings.steps, self.settings.aggregation)
        graded, _ = await grade(self.scorer, texts, drawn, self.settings.score_timeout_s, steps=steps)
        return [
            GradedPath(
                right=None if path["answer"] is None else self.task.same(path["answer"], asked["reference"] or ""),
                score=path["score"],
                unscored=path["unscored"],
            )
            for path in graded
        ]

    def _asked(self, question: str, reference: str, n: int) -> tuple[Asked, View]:
        subject = self.task.ask({"question": question, "reference": reference}, self.settings)
        if subject["reference"] is None:
            raise InputError(f"the question {question[:80]!r} has no reference; add its correct answer")
        asked = Asked(**subject, run_id="", started_at=time.time())
        return asked, self.task.views(asked, self.settings, n)[0]

    def _path(self, path: WrittenPath, view: View) -> Path:
        def read(text: str, complete: bool) -> str | None:
            return self.task.read(text, view, fast=False, complete=complete)

        completion = Completion(path.text, "stop" if path.complete else "length", n_tokens=None)
        sample = sample_of(completion, 0, "", read, view["order"])
        return cast("Path", {**sample, "score": None, "unscored": None})
