"""Grades on a scale, through the graph."""

from collections.abc import Sequence
from typing import Any

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.clients.scripted import Item, ScriptedClient


async def graded(fast: Sequence[Item], **settings: Any) -> Verification:
    graph = build_graph(Settings(task="pointwise", **settings), client=ScriptedClient(fast=fast), scorer=None)
    told: Verification = (await graph.ainvoke({"question": "17+48?", "candidates": ["65"]}))["verification"]
    return told


async def test_the_grade_is_the_vote_and_the_reward_the_mean_of_the_scale() -> None:
    told = await graded(["4", "4", "4", "4", "5"])
    assert (told["status"], told["answer"], told["winner"], told["tie"]) == ("ok", "4", None, None)
    assert told["rewards"] == [0.8]  # (4 * 3/4 + 1) / 5
    assert told["confidence"] == 0.8


async def test_the_scale_is_a_setting() -> None:
    told = await graded(["0"] * 4 + ["10"], lowest_grade=0, highest_grade=10)
    assert (told["answer"], told["rewards"]) == ("0", [0.2])


async def test_a_grade_off_the_scale_is_a_lost_vote() -> None:
    told = await graded(["5", "5", "5", "5", "6"])
    assert (told["uncertainty"]["value"], told["rewards"]) == (0.8, [1.0])


async def test_probabilities_of_the_grades_are_read_in_one_order() -> None:
    labels = {"1": -50.0, "2": -50.0, "3": -50.0, "4": -50.0, "5": 0.0}
    graph = build_graph(Settings(task="pointwise"), client=ScriptedClient(labels=labels), scorer=None)
    told = (await graph.ainvoke({"question": "17+48?", "candidates": ["65"]}))["verification"]
    assert (told["answer"], len(told["readings"]), told["uncertainty"]["orders_agree"]) == ("5", 1, None)
    assert told["rewards"] == [1.0]
