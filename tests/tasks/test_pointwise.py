"""The task `pointwise` through the graph."""

from collections.abc import Sequence
from typing import Any

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.clients.scripted import Item, ScriptedClient


async def graded(fast: Sequence[Item], **settings: Any) -> Verification:
    graph = build_graph(Settings(task="pointwise", **settings), client=ScriptedClient(fast=fast), scorer=None)
    result: Verification = (await graph.ainvoke({"question": "17+48?", "candidates": ["65"]}))["verification"]
    return result


async def test_the_grade_is_the_top_vote_and_the_reward_the_mean() -> None:
    result = await graded(["4", "4", "4", "4", "5"])
    assert (result["status"], result["answer"], result["winner"], result["tie"]) == ("ok", "4", None, None)
    assert result["rewards"] == [0.8]  # (4 * 3/4 + 1) / 5
    assert result["confidence"] == 0.8


async def test_settings_define_the_scale() -> None:
    result = await graded(["0"] * 4 + ["10"], lowest_grade=0, highest_grade=10)
    assert (result["answer"], result["rewards"]) == ("0", [0.2])


async def test_a_grade_off_the_scale_is_a_lost_vote() -> None:
    result = await graded(["5", "5", "5", "5", "6"])
    assert (result["uncertainty"]["value"], result["rewards"]) == (0.8, [1.0])


async def test_grade_probabilities_are_read_once() -> None:
    labels = {"1": -50.0, "2": -50.0, "3": -50.0, "4": -50.0, "5": 0.0}
    graph = build_graph(Settings(task="pointwise"), client=ScriptedClient(labels=labels), scorer=None)
    result = (await graph.ainvoke({"question": "17+48?", "candidates": ["65"]}))["verification"]
    assert (result["answer"], len(result["readings"]), result["uncertainty"]["orders_agree"]) == ("5", 1, None)
    assert result["rewards"] == [1.0]
