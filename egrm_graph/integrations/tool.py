"""The graph as a tool that an agent's model can call.

The model gets a short JSON summary: the answer, the status, and the confidence. For candidates, it also gets the winner
and the rewards, and if the status is not `ok`, the reasons. The full `verification` is the tool message's artifact. If
the model's arguments are invalid, it gets a tool message with the status `error`. Other errors are raised.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field

from egrm_graph.errors import InputError, SettingsError
from egrm_graph.integrations.graph_calls import Graph, built
from egrm_graph.settings import Settings, TaskName
from egrm_graph.verification import Verification

_Purpose = Literal["questions", "grades", "comparisons"]


class QuestionArguments(BaseModel):
    question: str = Field(description="The question, with everything that is needed to answer it.")


class ComparisonArguments(QuestionArguments):
    candidates: list[str] = Field(description="The different candidate answers, each in full.", min_length=2)


class GradeArguments(QuestionArguments):
    candidate: str = Field(description="The answer to grade, in full.")
    rubric: str | None = Field(default=None, description="What a good answer has to meet; without it, the question.")


_TOOLS: dict[_Purpose, tuple[str, str, type[BaseModel]]] = {
    "questions": (
        "verified_answer",
        "Answers a question with a verified answer. Gives JSON: the answer, its status (ok; degraded: part of the "
        "work failed; abstained: no reliable answer was found) and the confidence from 0 to 1.",
        QuestionArguments,
    ),
    "comparisons": (
        "compare_answers",
        "Finds the best of several candidate answers to a question. Gives JSON: winner, the index of the best "
        "candidate, counted from 0, or null if there is none; rewards, for each candidate the estimated probability "
        "that it is the best, or null if it could not be judged; and the status (ok, degraded, abstained).",
        ComparisonArguments,
    ),
    "grades": (
        "grade_answer",
        "Grades an answer to a question. Gives JSON: answer, the grade; rewards, the estimated probability that the "
        "answer meets the rubric, or null if it could not be judged; and the status (ok, degraded, abstained).",
        GradeArguments,
    ),
}


def as_tool(
    graph: Graph | Settings, *, task: TaskName = "answer", name: str | None = None, description: str | None = None
) -> BaseTool:
    """Return the graph as a tool, sync and async.

    `task` is the task of a graph. Settings have their own task, so it is ignored for them.

    Raises:
        SettingsError: the task judges messages with tool calls, which a model cannot pass to a tool.
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    purpose = _purpose(graph.task_name if isinstance(graph, Settings) else task)
    default_name, default_description, arguments = _TOOLS[purpose]
    called = built(graph)

    def call(**values: Any) -> tuple[str, Verification]:
        try:
            verification: Verification = called.invoke(_input(values))["verification"]
        except InputError as error:
            raise ToolException(str(error)) from error
        return summary_for_model(verification), verification

    async def acall(**values: Any) -> tuple[str, Verification]:
        try:
            verification: Verification = (await called.ainvoke(_input(values)))["verification"]
        except InputError as error:
            raise ToolException(str(error)) from error
        return summary_for_model(verification), verification

    return StructuredTool.from_function(
        func=call,
        coroutine=acall,
        name=name or default_name,
        description=description or default_description,
        args_schema=arguments,
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=True,
    )


def summary_for_model(verification: Verification) -> str:
    """Return the JSON summary of a verification. Probabilities are rounded to three places."""
    summary: dict[str, Any] = {"answer": verification["answer"], "status": verification["status"]}
    summary["confidence"] = _rounded(verification["confidence"])
    rewards = verification["rewards"] or []
    if len(rewards) > 1:
        summary["winner"] = verification["winner"]
    if rewards:
        summary["rewards"] = [_rounded(reward) for reward in rewards]
    if verification["status"] != "ok":
        summary["reasons"] = verification["reasons"]
    return json.dumps(summary, ensure_ascii=False)


def _purpose(task: TaskName) -> _Purpose:
    if task == "tool_calls":
        raise SettingsError(
            "the task 'tool_calls' judges messages, which a model cannot pass to a tool; use 'best_of_n' for texts"
        )
    if task == "pointwise":
        return "grades"
    return "comparisons" if task in ("pairwise", "best_of_n") else "questions"


def _input(values: dict[str, Any]) -> Any:
    if "candidate" in values:
        candidate = values.pop("candidate")
        return {**values, "candidates": [candidate]}
    return values


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(probability, 3)
