"""Tests for drawing steps within limits: running calls are cancelled, and complete candidates are used."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware.types import ModelResponse
from langchain_core.messages import HumanMessage
from langgraph.errors import GraphInterrupt

from egrm_graph.clients.scripted import ScriptedClient, Stall
from egrm_graph.drawing.calls import Limits
from egrm_graph.errors import DeadlineReached
from egrm_graph.integrations.agent_middleware import BestOfN
from egrm_graph.integrations.steps import adraw_steps, draw_steps
from tests.integrations.agents import Model, graph_of, judge, preferring, said, steps

QUESTION: Any = {"messages": [HumanMessage("17+48?")]}
UNLIMITED = Limits()
DEADLINE, BUDGET = "the deadline was reached", "the budget of completion tokens was spent"


async def step_of(model: Model, client: ScriptedClient, n: int, **limits: Any) -> Any:
    """Return the record of the agent's only step."""
    agent = create_agent(model, [], middleware=[BestOfN(n, graph=graph_of(client), **limits)])
    return (await agent.ainvoke(QUESTION))["messages"][1].response_metadata["egrm"]


async def test_at_the_deadline_running_calls_are_cancelled_and_nothing_is_judged() -> None:
    model, client = Model(answer=steps(said("64"), said("no"), said("65")), delays_s={1: 60}), preferring("65")
    record = await step_of(model, client, 3, deadline_s=0.5)
    assert (record["by"], record["candidates"], record["verification"]) == ("first", 2, None)
    assert record["reasons"] == [f"1 of 3 candidates lost: {DEADLINE}", DEADLINE]
    assert (model.calls, model.running, client.calls) == (3, set(), [])


async def test_running_calls_are_cancelled_when_the_budget_is_spent() -> None:
    model = Model(answer=steps(said("65", n_tokens=50), said("64")), delays_s={1: 60})
    record = await step_of(model, preferring("65"), 2, max_completion_tokens=50)
    assert (record["by"], record["reasons"]) == ("only", [f"1 of 2 candidates lost: {BUDGET}", BUDGET])
    assert model.running == set()


async def test_the_judge_gets_the_rest_of_the_budget() -> None:
    client = judge(lambda candidates, code: None)
    model = Model(answer=steps(said("65", n_tokens=40), said("64", n_tokens=40)))
    record = await step_of(model, client, 2, max_completion_tokens=81)
    # Six fast answers of 13 tokens spend the last token, so no path is drawn.
    assert f"4 of 4 paths lost: {BUDGET}" in record["verification"]["reasons"]


async def test_the_judge_gets_the_rest_of_the_time() -> None:
    client = ScriptedClient(lambda prompt, seed, request_id: Stall())
    model = Model(answer=steps(said("65"), said("64")), delays_s={0: 0.2})
    started = time.monotonic()
    record = await step_of(model, client, 2, deadline_s=1.0)
    assert time.monotonic() - started < 5
    assert (record["by"], record["verification"]["status"]) == ("first", "abstained")
    assert f"6 of 6 fast answers lost: {DEADLINE}" in record["verification"]["reasons"]
    assert {call.state for call in client.calls} == {"cancelled"}


async def test_a_deadline_without_any_candidate_raises() -> None:
    model = Model(answer=steps(said("65"), said("64")), delays_s={0: 60, 1: 60})
    with pytest.raises(DeadlineReached, match="before the deadline"):
        await step_of(model, preferring("65"), 2, deadline_s=0.1)
    assert model.running == set()


def test_a_sync_run_ends_at_its_deadline() -> None:
    model = Model(answer=lambda messages, number: said(f"6{number}"), delays_s={1: 3})
    agent = create_agent(model, [], middleware=[BestOfN(3, graph=graph_of(preferring("62")), deadline_s=0.5)])
    started = time.monotonic()
    record = agent.invoke(QUESTION)["messages"][1].response_metadata["egrm"]
    assert time.monotonic() - started < 2
    assert (record["by"], record["candidates"]) == ("first", 2)
    assert record["reasons"] == [f"1 of 3 candidates lost: {DEADLINE}", DEADLINE]


async def test_cancelling_a_run_while_drawing_cancels_its_calls() -> None:
    model = Model(answer=steps(said("65"), said("64")), delays_s={0: 60, 1: 60})
    running = asyncio.create_task(step_of(model, preferring("65"), 2))
    while model.calls < 2:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert model.running == set()


async def test_cancelling_a_run_while_judging_cancels_its_requests() -> None:
    client = ScriptedClient(lambda prompt, seed, request_id: Stall())
    running = asyncio.create_task(step_of(Model(answer=steps(said("65"), said("64"))), client, 2))
    while len(client.calls) < 2:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [call.state for call in client.calls] == ["cancelled"] * 2


async def test_an_interrupt_is_not_a_failure() -> None:
    def interrupted() -> ModelResponse[Any]:
        raise GraphInterrupt

    async def ainterrupted() -> ModelResponse[Any]:
        raise GraphInterrupt

    with pytest.raises(GraphInterrupt):
        await adraw_steps(ainterrupted, 2, UNLIMITED)
    with pytest.raises(GraphInterrupt):
        draw_steps(interrupted, 2, UNLIMITED)


def test_a_response_without_an_ai_message_is_a_lost_candidate() -> None:
    answers = iter([ModelResponse[Any]([HumanMessage("?")]), ModelResponse[Any]([said("65")])])
    drawn = draw_steps(lambda: next(answers), 2, UNLIMITED)
    assert [step.message.text for step in drawn.steps] == ["65"]
    assert drawn.reasons == ["1 of 2 candidates lost: RunError: the model call returned no AI message"]


def test_the_calls_of_a_sync_run_are_concurrent() -> None:
    model = Model(answer=lambda messages, number: said("65"), delays_s=dict.fromkeys(range(8), 0.3))
    started = time.monotonic()
    create_agent(model, [], middleware=[BestOfN(8, graph=graph_of(preferring("65")))]).invoke(QUESTION)
    assert time.monotonic() - started < 8 * 0.3
