"""Ask questions that contain more than text."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import EgrmError
from egrm_graph.integrations.agent_middleware import BestOfN
from egrm_graph.integrations.evaluator import as_evaluator
from egrm_graph.integrations.trl_reward import as_trl_reward
from tests.integrations.agents import Model, graph_of, preferring, said

JUDGED = ("pairwise", "best_of_n", "pointwise", "tool_calls")


async def outcome(given: dict[str, Any]) -> Any:
    """Return the prompt, the error, or the result of an integration."""
    where, asked = given.get("where", "answer"), {**given}
    asked.pop("where", None)
    try:
        return await (WHERE[where](asked) if where in WHERE else _run(where, asked))
    except EgrmError as error:
        return f"{type(error).__name__}: {error}"


async def _run(task: Any, asked: Any) -> Any:
    client = ScriptedClient(fast=["A"] * 8, paths=["A"] * 8)
    if task in JUDGED:
        asked["candidates"] = ["65"] if task == "pointwise" else ["65", "66"]
    result = (await build_graph(Settings(task=task), client=client, scorer=None).ainvoke(asked))["verification"]
    if result["rewards"] is not None:
        return {"rewards": result["rewards"]}
    return [message["content"].strip() for message in client.calls[0].prompt if message["role"] != "system"]


async def _agent(asked: Any) -> Any:
    model = Model(answer=lambda messages, number: said(f"6{number}"))
    agent = create_agent(model, [], middleware=[BestOfN(2, graph=graph_of(preferring("61")))])
    result = (await agent.ainvoke(asked))["messages"][-1].response_metadata["egrm"]
    return {"by": result["by"], "reasons": result["reasons"]}


async def _trl(asked: Any) -> Any:
    logged: dict[str, Any] = {}
    reward = as_trl_reward(graph_of(preferring("65")))
    prompts = [asked["messages"]] * 2
    rewards = reward(prompts, ["65", "66"], log_extra=logged.setdefault)
    return {"rewards": rewards, "unrewarded": logged["unrewarded"]}


async def _evaluator(asked: Any) -> Any:
    graph = build_graph(Settings(task="pointwise"), client=ScriptedClient(fast=["5"] * 8), scorer=None)
    result = as_evaluator(graph)(inputs=asked, outputs={"answer": "65"})
    return {"score": result["score"], "comment": result["comment"]}


WHERE = {"agent": _agent, "trl": _trl, "evaluator": _evaluator}
