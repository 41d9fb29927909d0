"""A run's deadline and its budget of tokens: what still runs is cancelled, and the best known comes back."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.clients.scripted import Delay, Item, ScriptedClient, Stall
from egrm_graph.scoring.scorer import Scorer, Unscored

WAVERING = ["57", "56", "57", "56", "57"]
PATH = "17+48=65;65-9=56;#56"


async def verify(client: ScriptedClient, scorer: Scorer | None = None, **settings: Any) -> tuple[Verification, float]:
    graph = build_graph(Settings(task="arithmetic", **settings), client=client, scorer=scorer)
    started = time.perf_counter()
    told = (await graph.ainvoke({"question": "17+48-9"}))["verification"]
    return told, time.perf_counter() - started


async def test_a_deadline_cancels_the_paths_that_still_run_and_keeps_those_that_are_there() -> None:
    client = ScriptedClient(fast=WAVERING, paths=[PATH, Stall(), PATH, Stall()])
    told, seconds = await verify(client, deadline_s=0.3)
    assert seconds < 5
    assert (told["status"], told["route"], told["answer"]) == ("degraded", "reasoned", "56")
    assert told["reasons"][0] == "2 of 4 paths lost: the deadline was reached"
    assert [call.state for call in client.calls[1:]] == ["answered", "cancelled", "answered", "cancelled"]


async def test_a_deadline_during_the_fast_answers_abstains_without_reasoning_at_all() -> None:
    client = ScriptedClient(fast=[Stall()] * 5, paths=[PATH] * 4)
    told, _ = await verify(client, deadline_s=0.2)
    assert (told["status"], told["answer"]) == ("abstained", None)
    assert "4 of 4 fast answers lost: the deadline was reached" in told["reasons"]
    assert [call.state for call in client.calls] == ["cancelled"]


async def test_a_deadline_before_the_paths_gives_the_fast_votes() -> None:
    client = ScriptedClient(fast=WAVERING, paths=[Stall()] * 4)
    told, _ = await verify(client, deadline_s=0.2)
    assert (told["status"], told["answer"], told["confidence"]) == ("degraded", "57", 0.5)


async def test_a_deadline_while_scoring_lets_the_paths_vote() -> None:
    class Slow:
        name = "slow"
        calibrated = False

        async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
            await asyncio.sleep(60)
            return []

        async def aclose(self) -> None: ...

    told, _ = await verify(ScriptedClient(fast=WAVERING, paths=[PATH] * 4), Slow(), deadline_s=0.3)
    assert (told["status"], told["answer"], told["best_path"]) == ("degraded", "56", None)
    assert told["reasons"][0].startswith("the scorer failed: no score within")


async def test_a_budget_cancels_what_still_runs_and_counts_its_tokens_as_spent() -> None:
    slow: Item = Delay(60, "x" * 6000)  # a token every ten milliseconds
    client = ScriptedClient(fast=WAVERING, paths=[PATH, slow, slow, slow])
    told, seconds = await verify(client, max_completion_tokens=60)
    assert seconds < 30
    assert (told["status"], told["answer"]) == ("degraded", "56")
    assert told["reasons"][0] == "3 of 4 paths lost: the budget of completion tokens was spent"
    usage = told["usage"]
    assert usage["cancelled_tokens"] > 0
    assert usage["completion_tokens"] == len("".join(WAVERING[:4])) + len(PATH) + usage["cancelled_tokens"]
    assert 60 <= usage["completion_tokens"] <= 70  # what was under way when the budget ran out


async def test_a_budget_that_the_fast_answers_spend_leaves_nothing_for_paths() -> None:
    client = ScriptedClient(fast=WAVERING, paths=[PATH] * 4)
    told, _ = await verify(client, max_completion_tokens=8)
    assert (told["status"], told["answer"], len(client.calls)) == ("degraded", "57", 1)


async def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    told, _ = await verify(ScriptedClient(fast=["56"] * 5), deadline_s=60, max_completion_tokens=1000)
    assert (told["status"], told["reasons"]) == ("ok", [])


async def test_cancelling_the_run_leaves_no_request_running() -> None:
    client = ScriptedClient(fast=WAVERING, paths=[Stall()] * 4)
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=None)
    run = asyncio.ensure_future(graph.ainvoke({"question": "17+48-9"}))
    while len(client.calls) < 5:
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert [call.state for call in client.calls[1:]] == ["cancelled"] * 4
