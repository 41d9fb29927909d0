"""Tasks: how a question is asked, how its answer is read, and when two answers are the same."""

from __future__ import annotations

from typing import Literal

from egrm_graph.tasks.answer import Answer
from egrm_graph.tasks.arithmetic import Arithmetic
from egrm_graph.tasks.task import Task

__all__ = ["Answer", "Arithmetic", "Task", "task_named"]


def task_named(name: Literal["answer", "arithmetic"]) -> Task:
    """The task of that name."""
    return Arithmetic() if name == "arithmetic" else Answer()
