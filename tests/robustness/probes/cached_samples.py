"""How many answers count if a cache answers instead of the model."""

from __future__ import annotations

import re
import uuid
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.messages import AIMessage, HumanMessage

from egrm_graph import Settings, build_graph
from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.errors import EgrmError
from egrm_graph.integrations.agent_middleware import BestOfN
from tests.integrations.agents import graph_of, judge
from tests.robustness.chat_models import Recorder, Seedless, Untempered

QUESTION = "17+48-9"
LONG, SHORT = f"chatcmpl-{'0' * 24}", "chatcmpl-617"


async def outcome(given: dict[str, Any]) -> Any:
    """For a run: its route, the counts of its votes, and its reasons. For an agent's step: how it was chosen."""
    cache = InMemoryCache()
    set_llm_cache(cache if given.get("cache") == "global" else None)
    try:
        model = wrapped(MODELS[given["model"]](cache if given.get("cache") == "own" else None), given.get("wrapper"))
        return await (_step(model, given) if given.get("agent") else _run(model, given.get("runs", 2)))
    except EgrmError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        set_llm_cache(None)


async def _run(model: Any, runs: int) -> Any:
    graph = build_graph(
        Settings(preset="published", task="arithmetic", paths=2), client=ChatModelClient(model), scorer=None
    )
    verification: Any = None
    for _ in range(runs):  # the second run finds the answers of the first in the cache
        verification = (await graph.ainvoke({"question": QUESTION}))["verification"]
    votes = [vote["count"] for vote in verification["uncertainty"]["votes"]]
    reasons = [reason for reason in verification["reasons"] if "lost" in reason]
    return {"route": verification["route"], "votes": votes, "lost": _stable(reasons)}


async def _step(model: Any, given: dict[str, Any]) -> Any:
    """The second call of an agent with the same question."""
    inner = [_Cached(Recorder(cache=InMemoryCache()))] if given["agent"] == "its model is replaced" else []
    graph = graph_of(judge(lambda candidates, _: sorted(candidates, key=candidates.__getitem__)[-1]))
    agent = create_agent(model, [], middleware=[*_SETTING.get(given["agent"], []), BestOfN(3, graph=graph), *inner])
    record: Any = None
    for _ in range(2):
        record = (await agent.ainvoke({"messages": [HumanMessage("?")]}))["messages"][-1].response_metadata["egrm"]
    return {"by": record["by"], "candidates": record["candidates"], "lost": _stable(record["reasons"])}


def _stable(reasons: list[str]) -> list[str]:
    return [re.sub(r"\(.*\)", "(ID)", reason) for reason in reasons]


class _Cached(AgentMiddleware[Any, Any, Any]):
    def __init__(self, model: Recorder) -> None:
        super().__init__()
        self._model = model

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        return await handler(request.override(model=self._model))


class _Seeded(AgentMiddleware[Any, Any, Any]):
    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        return await handler(request.override(model_settings={"seed": 42}))


_SETTING: dict[str, list[Any]] = {"model_settings with a seed": [_Seeded()]}


def wrapped(model: Any, wrapper: str | None) -> Any:
    if wrapper == "with_fallbacks":
        return model.with_fallbacks([Recorder()])
    return getattr(model, wrapper)() if wrapper else model


def _counting(model: Untempered, _: dict[str, Any]) -> AIMessage:
    """Give a new answer each time: 1, 2, 3, ..."""
    usage: Any = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}
    return AIMessage(f"{len(model.calls)}", usage_metadata=usage)


def _without_usage(model: Untempered, options: dict[str, Any]) -> AIMessage:
    return _counting(model, options).model_copy(update={"usage_metadata": None})


def _same(name: str) -> Any:
    return lambda model, _: AIMessage("56", response_metadata={"id": name})


def _numbered(model: Untempered, _: dict[str, Any]) -> AIMessage:
    return AIMessage("56", response_metadata={"id": f"chatcmpl-{uuid.uuid4()}"})


def _late(model: Untempered, _: dict[str, Any]) -> AIMessage:
    """The fifth response is the first one again: the others started before a proxy had it."""
    n = len(model.calls)
    return AIMessage("57" if n == 4 else "56", response_metadata={"id": f"{LONG}-{1 if n == 5 else n}"})


def _seeded(model: Recorder, options: dict[str, Any]) -> AIMessage:
    """Give the same answer for the same seed."""
    return AIMessage(str(options.get("seed", (model.extra_body or {}).get("seed"))))


def _configurable(_: Any) -> Any:
    from langchain.chat_models import init_chat_model

    return init_chat_model(configurable_fields=("model",))


MODELS: dict[str, Any] = {
    "init_chat_model with configurable fields": _configurable,
    "of a fixed seed": lambda cache: Recorder(answer=_seeded, cache=cache, seed=42),
    "of a fixed seed in extra_body": lambda cache: Recorder(answer=_seeded, cache=cache, extra_body={"seed": 42}),
    "counting": lambda cache: Recorder(answer=_counting, cache=cache),
    "counting, usage missing": lambda cache: Recorder(answer=_without_usage, cache=cache),
    "agreeing": lambda cache: Seedless(answer=_numbered, cache=cache),
    "behind a proxy that caches": lambda cache: Seedless(answer=_same(LONG), cache=cache),
    "behind a proxy that caches late": lambda cache: Seedless(answer=_late, cache=cache),
    "of a server that gives all responses one short id": lambda cache: Seedless(answer=_same(SHORT), cache=cache),
    "of a server that gives no ids": lambda cache: Seedless(answer=_same(""), cache=cache),
}
