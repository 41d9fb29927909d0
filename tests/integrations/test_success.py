"""Tests that the success of an agent with best of N matches the calculation.

A task takes k steps. The model errs in each step with probability e, and a tool call with a wrong number fails the
task.
If there is both a right and a wrong candidate, the judge is right with probability q. If all N are right, or all are
wrong, its choice does not matter. So a step succeeds with

    p = (1 - e)^N + q (1 - (1 - e)^N - e^N)

and the task with p^k, instead of (1 - e)^k. Here e = 0.3, N = 4, q = 0.9, k = 3:

    (1 - e)^4 = 0.2401    e^4 = 0.0081    p = 0.2401 + 0.9 * 0.7518 = 0.91672
    p^3 = 0.7704          (1 - e)^3 = 0.343
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, tool

from egrm_graph.integrations.agent_middleware import BestOfN
from tests.integrations.agents import Model, graph_of, judge, said

E, Q, K = 0.3, 0.9, 3
TASKS = 300


class Walk:
    """A tool that takes the number of the next step of a task."""

    def __init__(self) -> None:
        self.taken: dict[str, list[int]] = {}

    @property
    def tool(self) -> BaseTool:
        @tool
        def take(task: str, number: int) -> str:
            """Takes the step of this number."""
            self.taken.setdefault(task, []).append(number)
            return "taken"

        return take


def erring(chance: random.Random) -> Model:
    """Return a model that takes the next step, or with probability E a wrong one."""

    def answer(messages: Sequence[BaseMessage], number: int) -> AIMessage:
        step = sum(isinstance(message, ToolMessage) for message in messages)
        if step == K:
            return said("done")
        wrong = chance.randint(100, 999)
        return said("", ("take", {"task": messages[0].text, "number": wrong if chance.random() < E else step}))

    return Model(answer=answer)


def sometimes_right(candidates: dict[str, str], code: str) -> str:
    """Choose right with probability Q. The seed is the code, which does not depend on the order of candidates."""
    right = {label for label, text in candidates.items() if int(text.partition('"number": ')[2].partition(",")[0]) < K}
    wrong = sorted(set(candidates) - right, key=lambda label: candidates[label])
    if right and random.Random(code).random() < Q:
        return right.pop()
    return wrong[0]


async def success(agent: Any, walk: Walk) -> float:
    for i in range(TASKS):
        await agent.ainvoke({"messages": [HumanMessage(f"task {i}")]})
    assert [len(taken) for taken in walk.taken.values()] == [K] * TASKS  # one tool call per step
    return sum(taken == list(range(K)) for taken in walk.taken.values()) / TASKS


def four_standard_errors(share: float) -> float:
    return 4 * math.sqrt(share * (1 - share) / TASKS)


@pytest.mark.slow
async def test_the_success_without_best_of_n_is_that_of_the_model() -> None:
    walk = Walk()
    share = await success(create_agent(erring(random.Random(1)), [walk.tool]), walk)
    assert share == pytest.approx(0.343, abs=four_standard_errors(0.343))


@pytest.mark.slow
async def test_success_rises_by_the_predicted_amount() -> None:
    walk = Walk()
    middleware = [BestOfN(4, graph=graph_of(judge(sometimes_right)))]
    share = await success(create_agent(erring(random.Random(1)), [walk.tool], middleware=middleware), walk)
    assert share == pytest.approx(0.7704, abs=four_standard_errors(0.7704))
