"""The deadline and the token budget of a run: open requests are cancelled, and the best result so far is returned."""

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
    graph = build_graph(
        Settings(**{"preset": "published", "task": "arithmetic", **settings}), client=client, scorer=scorer
    )
    started = time.perf_counter()
    result = (await graph.ainvoke({"question": "17+48-9"}))["verification"]
    return result, time.perf_counter() - started


async def test_a_deadline_cancels_the_running_paths_and_keeps_the_finished_ones() -> None:
    client = ScriptedClient(fast=WAVERING, paths=[PATH, Stall(), PATH, Stall()])
    result, seconds = await verify(client, deadline_s=0.3)
    assert seconds < 5
    assert (result["status"], result["route"], result["answer"]) == ("degraded", "reasoned", "56")
    assert result["reasons"][0] == "2 of 4 paths lost: the deadline was reached"
    assert [call.state for call in client.calls[1:]] == ["answered", "cancelled", "answered", "cancelled"]


async def test_a_deadline_during_the_fast_answers_abstains_without_reasoning() -> None:
    client = ScriptedClient(fast=[Stall()] * 5, paths=[PATH] * 4)
    result, _ = await verify(client, deadline_s=0.2)
    assert (result["status"], result["answer"]) == ("abstained", None)
    assert "4 of 4 fast answers lost: the deadline was reached" in result["reasons"]
    assert [call.state for call in client.calls] == ["cancelled"]


async def test_if_no_path_meets_the_deadline_the_fast_votes_decide() -> None:
    client = ScriptedClient(fast=WAVERING, paths=[Stall()] * 4)
    result, _ = await verify(client, deadline_s=0.2)
    assert (result["status"], result["answer"], result["confidence"]) == ("degraded", "57", 0.5)


async def test_if_scoring_misses_the_deadline_the_paths_vote() -> None:
    class Slow:
        name = "slow"
        calibrated = False

        async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
            await asyncio.sleep(60)
            return []

        async def aclose(self) -> None: ...

    result, _ = await verify(ScriptedClient(fast=WAVERING, paths=[PATH] * 4), Slow(), deadline_s=0.3)
    assert (result["status"], result["answer"], result["best_path"]) == ("degraded", "56", None)
    assert result["reasons"][0].startswith("the scorer failed: no score within")


async def test_a_spent_budget_cancels_running_paths_and_counts_their_tokens() -> None:
    slow: Item = Delay(60, "x" * 6000)  # one token every ten milliseconds
    client = ScriptedClient(fast=WAVERING, paths=[PATH, slow, slow, slow])
    result, seconds = await verify(client, max_completion_tokens=60)
    assert seconds < 30
    assert (result["status"], result["answer"]) == ("degraded", "56")
    assert result["reasons"][0] == "3 of 4 paths lost: the budget of completion tokens was spent"
    usage = result["usage"]
    assert usage["cancelled_tokens"] > 0
    assert usage["completion_tokens"] == len("".join(WAVERING[:4])) + len(PATH) + usage["cancelled_tokens"]
    assert 60 <= usage["completion_tokens"] <= 70  # including tokens in flight when the budget ran out


async def test_if_the_fast_answers_spend_the_budget_no_path_is_drawn() -> None:
    client = ScriptedClient(fast=WAVERING, paths=[PATH] * 4)
    result, _ = await verify(client, max_completion_tokens=8)
    assert (result["status"], result["answer"], len(client.calls)) == ("degraded", "57", 1)


async def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    result, _ = await verify(ScriptedClient(fast=["56"] * 5), deadline_s=60, max_completion_tokens=1000)
    assert (result["status"], result["reasons"]) == ("ok", [])


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
