"""Choose a candidate in an agent that wants structured output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from pydantic import BaseModel

from egrm_graph.integrations.agent_middleware import BestOfN
from tests.integrations.agents import Model, graph_of, preferring


class Total(BaseModel):
    """The total."""

    total: int


class Unit(BaseModel):
    """The unit."""

    unit: str


async def outcome(given: dict[str, Any]) -> Any:
    """Return the chosen output, how it was chosen, and what was dropped. The judge prefers candidates with "best"."""
    candidates = [_message(**each) for each in given["candidates"]]

    def answer(messages: Sequence[BaseMessage], number: int) -> AIMessage:
        if isinstance(messages[-1], ToolMessage):  # all candidates of the next step are equal
            return _message(calls=[["Total", {"total": 0}]])
        return candidates[number]

    def add(a: int) -> str:
        """Add."""
        return "65"

    strategy: Any = ToolStrategy(Total | Unit, handle_errors=given.get("handle_errors", True))
    wanted = None if given.get("unstructured") else strategy
    middleware = [BestOfN(len(candidates), graph=graph_of(preferring("best")), on_abstain="first")]
    agent = create_agent(Model(answer=answer), [add], response_format=wanted, middleware=middleware)
    step = (await agent.ainvoke({"messages": [HumanMessage("?")]}))["messages"][1]
    record = step.response_metadata["egrm"]
    reasons = [reason.partition(": Failed")[0] for reason in record["reasons"]]  # pydantic's wording changes
    return {"taken": step.text or step.tool_calls[0]["args"], "by": record["by"], "reasons": reasons}


def _message(text: str = "", calls: Any = (), invalid: Any = ()) -> AIMessage:
    return AIMessage(
        text,
        tool_calls=[{"name": name, "args": args, "id": f"{i}"} for i, (name, args) in enumerate(calls)],
        invalid_tool_calls=[
            {"type": "invalid_tool_call", "name": name, "args": args, "id": "i", "error": None}
            for name, args in invalid
        ],
    )
