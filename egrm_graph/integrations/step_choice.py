"""Choose one of the candidate steps, by verdict or by a human, and record how."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypedDict

from langchain.agents.middleware.types import ModelResponse
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langgraph.types import interrupt

from egrm_graph.integrations.steps import CandidateStep, DrawnSteps, Response, message_of
from egrm_graph.messages.candidates import merged, read_candidates
from egrm_graph.messages.content_blocks import content_of
from egrm_graph.verification import Verification

KEY = "egrm"
QUESTION = "Which of these next steps is the right one? Resume with its index."

ChosenBy = Literal["verdict", "equal", "only", "first", "human"]


class StepRecord(TypedDict):
    """How a step was chosen; `response_metadata["egrm"]` of its message."""

    by: ChosenBy
    """`verdict`: the judge chose. `equal` or `only`: all candidates were equal, or only one was drawn, so the judge was
    not asked. `first` or `human`: no verdict was reached, so the first candidate was taken, or a human chose."""
    candidates: int
    """How many were drawn, including equal ones."""
    reasons: list[str]
    """Why candidates were lost or not judged and, without a verdict, why none was reached. The reasons of a verdict
    are in the verification."""
    usage: UsageMetadata | None
    """The total usage of all candidates. The judge's usage is in the verification. The message keeps its own
    `usage_metadata`, because LangChain reads the length of the conversation from it."""
    verification: Verification | None
    """None if the judge was not asked."""


class Undecided(TypedDict):
    """Candidates that wait for a human, in a form that checkpointers can store."""

    steps: list[dict[str, Any]]
    """The fields of each step's `ModelResponse`."""
    record: StepRecord


def record(drawn: DrawnSteps, by: ChosenBy, verification: Verification | None = None) -> StepRecord:
    """Return the record of a choice."""
    unjudged = [] if drawn.unjudged is None else [drawn.unjudged]
    undecided_because = [] if by == "verdict" or verification is None else verification["reasons"]
    return StepRecord(
        by=by,
        candidates=len(drawn.steps),
        reasons=[*drawn.reasons, *unjudged, *undecided_because],
        usage=drawn.usage,
        verification=verification,
    )


def prefer_structured(drawn: DrawnSteps) -> DrawnSteps:
    """Drop the steps without structured output, unless no step has it. Steps with tool calls are kept, too.

    If structured output does not fit its schema, LangChain adds a tool message so that the model tries again. It adds
    none for a text or for a call that it cannot read.
    """
    fit = [step for step in drawn.steps if _gives_structure(step)]
    n_lost = len(drawn.steps) - len(fit)
    if not fit or not n_lost:
        return drawn
    reason = f"{n_lost} of {len(drawn.steps)} candidates left out: no structured output that fits the schema"
    return replace(drawn, steps=fit, reasons=[*drawn.reasons, reason])


def _gives_structure(step: CandidateStep) -> bool:
    if step.response.structured_response is not None:
        return True
    refused = any(isinstance(message, ToolMessage) for message in step.response.result)
    return bool(step.message.tool_calls) and not refused


def choose_without_judge(drawn: DrawnSteps) -> Response | None:
    """Return the step if there is only one, or if all are equal. Otherwise None."""
    if len(drawn.steps) == 1:
        return with_record(drawn.steps[0].response, record(drawn, "only"))
    if len(set(merged(read_candidates([step.message for step in drawn.steps])))) == 1:
        return with_record(drawn.steps[0].response, record(drawn, "equal"))
    return None


def winner(drawn: DrawnSteps, verification: Verification | None) -> CandidateStep | None:
    """Return the step that won. None without a verdict."""
    index = None if verification is None else verification["winner"]
    return None if index is None else drawn.steps[index]


def explain_undecided(step_record: StepRecord) -> str:
    """Return why no verdict was reached, in one line."""
    return "; ".join(step_record["reasons"]) or "the verdict was a tie"


def with_record(response: Response, step_record: StepRecord) -> Response:
    """Return the response with the record in its message."""
    chosen = message_of(response)
    metadata = {**chosen.response_metadata, KEY: step_record}
    recorded = chosen.model_copy(update={"response_metadata": metadata})
    return replace(response, result=[recorded if message is chosen else message for message in response.result])


def undecided(drawn: DrawnSteps, step_record: StepRecord) -> Undecided:
    """Return the candidates for the node that asks a human. That node only asks, so it can safely run again."""
    steps = [
        {"result": step.response.result, "structured_response": step.response.structured_response}
        for step in drawn.steps
    ]
    return Undecided(steps=steps, record=step_record)


def ask_human(waiting: Undecided) -> Response:
    """Interrupt the graph until a human picks a candidate by its index. Equal candidates are listed once."""
    responses: list[Response] = [ModelResponse(**step) for step in waiting["steps"]]
    messages = [message_of(response) for response in responses]
    indices = sorted(set(merged(read_candidates(messages))))
    request: dict[str, Any] = {
        "question": QUESTION,
        "candidates": [{"index": i, **_summary(messages[i])} for i in indices],
        "reasons": explain_undecided(waiting["record"]),
    }
    index = interrupt(request)
    while type(index) is not int or index not in indices:
        index = interrupt({**request, "refused": f"{index!r} is not the index of a candidate; give one of {indices}"})
    return with_record(responses[index], waiting["record"])


def _summary(message: AIMessage) -> dict[str, Any]:
    content = content_of(message)
    calls = [{"name": name, "args": args} for name, args in content.calls]
    return {"text": "\n".join(content.texts), "tool_calls": calls}
