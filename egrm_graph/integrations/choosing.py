"""Which of the candidate steps is handed on, and what is told of it: by the verdict, or by a human."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypedDict

from langchain.agents.middleware.types import ModelResponse
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langgraph.types import interrupt

from egrm_graph.integrations.steps import Drawn, Response, Step, message_of
from egrm_graph.messages.candidates import merged, read_candidates
from egrm_graph.messages.content_blocks import content_of
from egrm_graph.verification import Verification

KEY = "egrm"
QUESTION = "Which of these next steps is the right one? Resume with its index."

By = Literal["verdict", "equal", "only", "first", "human"]


class Record(TypedDict):
    """How a step was chosen; `response_metadata["egrm"]` of its message."""

    by: By
    """The judge's verdict; or there was nothing to judge, for all candidates were equal or there was only one; or no
    verdict was reached, and the first candidate was taken, or a human chose."""
    candidates: int
    """How many were drawn, equal ones included."""
    reasons: list[str]
    """Why candidates were lost, or not judged. Those of a verdict are in the verification."""
    usage: UsageMetadata | None
    """That of all candidates together; the judge's own is in the verification. The message's own `usage_metadata` is
    left as it is: LangChain reads the length of the conversation from it."""
    verification: Verification | None
    """None where the judge was not asked."""


class Undecided(TypedDict):
    """Candidates that wait for a human, in a form that checkpointers keep."""

    steps: list[dict[str, Any]]
    """Each the fields of a `ModelResponse`."""
    record: Record


def record(drawn: Drawn, by: By, verification: Verification | None = None) -> Record:
    """The record of a choice."""
    unjudged = [] if drawn.unjudged is None else [drawn.unjudged]
    return Record(
        by=by,
        candidates=len(drawn.steps),
        reasons=[*drawn.reasons, *unjudged],
        usage=drawn.usage,
        verification=verification,
    )


def structured(drawn: Drawn) -> Drawn:
    """Without the steps of which no structured output came, where there are others: those that called a tool, too.

    LangChain answers a structured output that does not fit its schema with a tool message, so that the model tries
    again; of a text, or of a call that cannot be read, it makes nothing.
    """
    fit = [step for step in drawn.steps if _gives_structure(step)]
    n_lost = len(drawn.steps) - len(fit)
    if not fit or not n_lost:
        return drawn
    reason = f"{n_lost} of {len(drawn.steps)} candidates left out: no structured output that fits the schema"
    return replace(drawn, steps=fit, reasons=[*drawn.reasons, reason])


def _gives_structure(step: Step) -> bool:
    if step.response.structured_response is not None:
        return True
    refused = any(isinstance(message, ToolMessage) for message in step.response.result)
    return bool(step.message.tool_calls) and not refused


def settled(drawn: Drawn) -> Response | None:
    """The step, where there is nothing to judge."""
    if len(drawn.steps) == 1:
        return recorded(drawn.steps[0].response, record(drawn, "only"))
    if len(set(merged(read_candidates([step.message for step in drawn.steps])))) == 1:
        return recorded(drawn.steps[0].response, record(drawn, "equal"))
    return None


def winner(drawn: Drawn, verification: Verification | None) -> Step | None:
    """The step that won; None where there is no verdict."""
    won = None if verification is None else verification["winner"]
    return None if won is None else drawn.steps[won]


def reasons(told: Record) -> str:
    """Why there is no verdict, in one line."""
    verification = told["verification"]
    own = [] if verification is None else verification["reasons"]
    return "; ".join([*told["reasons"], *own]) or "the verdict was a tie"


def recorded(response: Response, told: Record) -> Response:
    """The response, with the record in its message."""
    chosen = message_of(response)
    noted = chosen.model_copy(update={"response_metadata": {**chosen.response_metadata, KEY: told}})
    return replace(response, result=[noted if each is chosen else each for each in response.result])


def kept(drawn: Drawn, told: Record) -> Undecided:
    """The candidates, to be put to a human by another node: one that only asks, and so can run again."""
    steps = [
        {"result": step.response.result, "structured_response": step.response.structured_response}
        for step in drawn.steps
    ]
    return Undecided(steps=steps, record=told)


def chosen_by_human(undecided: Undecided) -> Response:
    """Interrupts the graph until a human has named the index of a candidate. Of equal candidates the first is shown."""
    responses: list[Response] = [ModelResponse(**step) for step in undecided["steps"]]
    messages = [message_of(response) for response in responses]
    indices = sorted(set(merged(read_candidates(messages))))
    asked: dict[str, Any] = {
        "question": QUESTION,
        "candidates": [{"index": i, **_shown(messages[i])} for i in indices],
        "reasons": reasons(undecided["record"]),
    }
    index = interrupt(asked)
    while type(index) is not int or index not in indices:
        index = interrupt({**asked, "refused": f"{index!r} is no index of a candidate; give one of {indices}"})
    return recorded(responses[index], undecided["record"])


def _shown(message: AIMessage) -> dict[str, Any]:
    content = content_of(message)
    calls = [{"name": name, "args": args} for name, args in content.calls]
    return {"text": "\n".join(content.texts), "tool_calls": calls}
