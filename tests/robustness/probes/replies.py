"""Read the messages that a run returns, to its caller or to a host graph."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import Fail, ScriptedClient
from egrm_graph.errors import EgrmError

PATH = "17+48=65;65-9=56;#56"


async def outcome(given: dict[str, Any]) -> Any:
    """Return the run's messages as `[type, text]`, or its keys if it has no messages."""
    runs = given["runs"] if "runs" in given else [given["input"]]
    graph: Any = _graph(given.get("model", "sure"), given.get("task", "arithmetic"))
    if (hosted := given.get("host")) is not None:
        graph = _host(graph, HOSTS[hosted])
    elif len(runs) > 1:
        graph = _remembering(given)
    out: Any = {}
    for i, each in enumerate(runs):
        try:
            out = await graph.ainvoke(each, {"configurable": {"thread_id": "1"}})
        except EgrmError as error:
            return f"run {i}: {type(error).__name__}: {error}"
    messages = out.get("messages")
    if messages is None:
        return sorted(out)
    assert all(isinstance(each, BaseMessage) for each in messages)
    return [[each.type, each.text] for each in messages]


def _graph(model: str, task: Any, **options: Any) -> Any:
    return build_graph(Settings(preset="published", task=task), client=MODELS[model](), scorer=None, **options)


def _remembering(given: dict[str, Any]) -> Any:
    return _graph(given.get("model", "sure"), given.get("task", "arithmetic"), checkpointer=InMemorySaver())


class Added(TypedDict, total=False):
    question: str
    messages: Annotated[list[AnyMessage], add_messages]


class Replaced(TypedDict, total=False):
    messages: list[AnyMessage]


class Judged(TypedDict, total=False):
    question: str
    candidates: list[str]
    messages: Annotated[list[AnyMessage], add_messages]


class Counted(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    n: Annotated[int, operator.add]


def _host(inner: Any, schema: Any) -> Any:
    builder: Any = StateGraph(schema)
    builder.add_node("verify", inner)
    builder.add_edge(START, "verify")
    builder.add_edge("verify", END)
    return builder.compile(checkpointer=InMemorySaver())


HOSTS: dict[str, Any] = {"add_messages": Added, "no reducer": Replaced, "candidates": Judged, "other keys": Counted}
MODELS: dict[str, Any] = {
    "sure": lambda: ScriptedClient(fast=["56"] * 10, paths=[PATH] * 8),
    "judge": lambda: ScriptedClient(fast=["A", "B"] * 8, paths=["A"] * 8),
    "losing": lambda: ScriptedClient(fast=["56", "56", "56", "56", "57"] * 2, paths=[PATH] * 8),
    "failing": lambda: ScriptedClient(fast=[Fail("overloaded")] * 10, paths=[Fail("overloaded")] * 8),
    "partly failing": lambda: ScriptedClient(
        fast=["56", Fail("overloaded"), "56", "57", "57"] * 2, paths=[PATH, PATH, PATH, Fail("overloaded")] * 2
    ),
}
