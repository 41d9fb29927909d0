"""Tasks: how a question is asked, how answers are read and compared, and how a run decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from egrm_graph.errors import SettingsError
from egrm_graph.settings import Bundled, Settings
from egrm_graph.tasks.answer import AnswerTask
from egrm_graph.tasks.arithmetic import ArithmeticTask
from egrm_graph.tasks.best_of_n import BestOfNTask
from egrm_graph.tasks.digits_format import DigitsFormat
from egrm_graph.tasks.judging import Judging
from egrm_graph.tasks.judging_format import EnglishFormat, JudgingFormat
from egrm_graph.tasks.pairwise import PairwiseTask
from egrm_graph.tasks.pointwise import PointwiseTask
from egrm_graph.tasks.question import QuestionTask
from egrm_graph.tasks.sums_format import SumsFormat
from egrm_graph.tasks.task import Task
from egrm_graph.tasks.tool_calls import ToolCallsTask

__all__ = [
    "AnswerTask",
    "ArithmeticTask",
    "BestOfNTask",
    "Judging",
    "PairwiseTask",
    "PointwiseTask",
    "QuestionTask",
    "Task",
    "ToolCallsTask",
    "judges_candidates",
    "task_named",
]

QUESTION_TASKS: Mapping[str, Callable[[bool], Task]] = {
    "answer": lambda first: AnswerTask(first=first),
    "arithmetic": lambda first: ArithmeticTask(first=first),
}
"""The built-in tasks that answer questions; see `task_named` for `first`."""
JUDGING_TASKS: Mapping[str, Callable[[JudgingFormat], Task]] = {
    task.name: task for task in (PairwiseTask, PointwiseTask, BestOfNTask, ToolCallsTask)
}
"""The built-in tasks that judge candidates."""
BUNDLED_FORMATS: Mapping[str, Callable[[], JudgingFormat]] = {"sums": SumsFormat, "digits": DigitsFormat}
"""The formats of the bundled judges, by what they read; see `Settings.bundled`."""


def task_named(name: str, own: Sequence[Task] = (), *, bundled: Bundled = "", first: bool = False) -> Task:
    """The task of that name, one of your `own` or built in.

    `bundled` is what a bundled model reads that judges; see `Settings.bundled`. With `first`, the first answer in a
    text counts: for a model that continues its prompt and does not stop there.

    Raises:
        SettingsError: there is no such task.
    """
    for task in own:
        if task.name == name:
            return task
    if name in QUESTION_TASKS:
        return QUESTION_TASKS[name](first)
    if name in JUDGING_TASKS:
        return JUDGING_TASKS[name](BUNDLED_FORMATS[bundled]() if bundled else EnglishFormat(first=first))
    known = ", ".join([*(task.name for task in own), *QUESTION_TASKS, *JUDGING_TASKS])
    raise SettingsError(f"unknown task {name!r}; known tasks are {known}")


def judges_candidates(settings: Settings) -> bool:
    """Whether the settings name a built-in task that judges candidates."""
    return settings.task_name in JUDGING_TASKS
