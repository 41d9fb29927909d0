"""Tasks: how a thing is asked, how what a model says of it is read, and when two answers are the same."""

from __future__ import annotations

from egrm_graph.settings import TaskName
from egrm_graph.tasks.answer import Answer
from egrm_graph.tasks.arithmetic import Arithmetic
from egrm_graph.tasks.best_of_n import BestOfN
from egrm_graph.tasks.english import English
from egrm_graph.tasks.pairwise import Pairwise
from egrm_graph.tasks.pointwise import Pointwise
from egrm_graph.tasks.question import Question
from egrm_graph.tasks.sums import Sums
from egrm_graph.tasks.task import Task, View
from egrm_graph.tasks.tool_calls import ToolCalls

__all__ = [
    "Answer",
    "Arithmetic",
    "BestOfN",
    "Pairwise",
    "Pointwise",
    "Question",
    "Task",
    "ToolCalls",
    "View",
    "task_named",
]


def task_named(name: TaskName, *, bundled: bool = False, first: bool = False) -> Task:
    """The task of that name; `bundled` says that candidates are judged by the bundled model, which knows sums only.

    With `first`, the first answer of a text counts: for a model that continues its prompt and does not stop there.
    """
    if name == "answer":
        return Question(Answer(first=first))
    if name == "arithmetic":
        return Question(Arithmetic(first=first))
    kinds = {"pairwise": Pairwise, "pointwise": Pointwise, "best_of_n": BestOfN, "tool_calls": ToolCalls}
    return kinds[name](Sums() if bundled else English(first=first))
