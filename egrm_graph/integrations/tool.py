"""The graph as a tool that an agent's model calls: `as_tool`.

The model is told little, as JSON: the answer, the status and the confidence; of candidates also the winner and the
rewards; and the reasons where the status is not `ok`. The whole `verification` is the tool message's artifact. What
the model got wrong in its call is told to it, as a tool message of the status `error`; anything else is raised.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field

from egrm_graph.errors import InputError, SettingsError
from egrm_graph.integrations.calling import Graph, built
from egrm_graph.settings import Settings, TaskName
from egrm_graph.verification import Verification

Kind = Literal["questions", "grades", "comparisons"]


class Asked(BaseModel):
    question: str = Field(description="The question, with everything that is needed to answer it.")


class Compared(Asked):
    candidates: list[str] = Field(description="The different candidate answers, each in full.", min_length=2)


class Graded(Asked):
    candidate: str = Field(description="The answer to grade, in full.")
    rubric: str | None = Field(default=None, description="What a good answer has to meet; without it, the question.")


_FORMS: dict[Kind, tuple[str, str, type[BaseModel]]] = {
    "questions": (
        "verified_answer",
        "Answers a question with a verified answer. Gives JSON: the answer, its status (ok; degraded: something was "
        "lost on the way; abstained: there is no answer worth giving) and the confidence from 0 to 1.",
        Asked,
    ),
    "comparisons": (
        "compare_answers",
        "Finds out which of several candidate answers to a question is the best. Gives JSON: winner, the index of the "
        "best candidate, counted from 0, or null where none is; rewards, for each candidate the estimated "
        "probability that it is the best, or null where it could not be judged; and the status (ok, degraded, "
        "abstained).",
        Compared,
    ),
    "grades": (
        "grade_answer",
        "Grades an answer to a question. Gives JSON: answer, the grade; rewards, the estimated probability that the "
        "answer meets the rubric, or null where it could not be judged; and the status (ok, degraded, abstained).",
        Graded,
    ),
}


def as_tool(
    graph: Graph | Settings, *, task: TaskName = "answer", name: str | None = None, description: str | None = None
) -> BaseTool:
    """The graph as a tool, sync and async.

    `task` is what a graph was built for; settings say it themselves.

    Raises:
        SettingsError: the task judges messages with tool calls, which a model cannot hand to a tool.
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    kind = _kind(graph.task_name if isinstance(graph, Settings) else task)
    own_name, own_description, arguments = _FORMS[kind]
    called = built(graph)

    def call(**given: Any) -> tuple[str, Verification]:
        try:
            verification: Verification = called.invoke(_input(given))["verification"]
        except InputError as error:
            raise ToolException(str(error)) from error
        return told(verification), verification

    async def acall(**given: Any) -> tuple[str, Verification]:
        try:
            verification: Verification = (await called.ainvoke(_input(given)))["verification"]
        except InputError as error:
            raise ToolException(str(error)) from error
        return told(verification), verification

    return StructuredTool.from_function(
        func=call,
        coroutine=acall,
        name=name or own_name,
        description=description or own_description,
        args_schema=arguments,
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=True,
    )


def told(verification: Verification) -> str:
    """What a model is told of a verification, as JSON; shares are rounded to three places."""
    said: dict[str, Any] = {"answer": verification["answer"], "status": verification["status"]}
    said["confidence"] = _rounded(verification["confidence"])
    rewards = verification["rewards"] or []
    if len(rewards) > 1:
        said["winner"] = verification["winner"]
    if rewards:
        said["rewards"] = [_rounded(reward) for reward in rewards]
    if verification["status"] != "ok":
        said["reasons"] = verification["reasons"]
    return json.dumps(said, ensure_ascii=False)


def _kind(task: TaskName) -> Kind:
    if task == "tool_calls":
        raise SettingsError(
            "the task 'tool_calls' judges messages, which a model cannot hand to a tool; use 'best_of_n' for texts"
        )
    if task == "pointwise":
        return "grades"
    return "comparisons" if task in ("pairwise", "best_of_n") else "questions"


def _input(given: dict[str, Any]) -> Any:
    if "candidate" in given:
        candidate = given.pop("candidate")
        return {**given, "candidates": [candidate]}
    return given


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 3)
