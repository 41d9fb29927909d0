"""Fast answers drawn in waves through the full graph: what is drawn, cancelled, counted, and reported."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.clients.client import Completions, Meter, Sampling
from egrm_graph.clients.scripted import Delay, Fail, Item, ScriptedClient, Stall
from egrm_graph.verification import Message

PATH = "17+48=65;65-9=56;#56"
QUESTION: Any = {"question": "17+48-9"}
PAIR: Any = {"question": "17+48?", "candidates": ["65", "66"]}


class Metered(ScriptedClient):
    """Notes for each call whether it had a meter, which makes a server stream."""

    def __init__(self, fast: Sequence[Item]) -> None:
        super().__init__(fast=fast)
        self.metered: list[bool] = []

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        self.metered.append(meter is not None)
        return await super().sample(prompt, sampling, seeds=seeds, request_id=request_id, meter=meter)


async def verify(
    fast: Sequence[Item], paths: Sequence[Item] = (PATH,) * 4, **settings: Any
) -> tuple[Verification, ScriptedClient]:
    client = ScriptedClient(fast=fast, paths=paths)
    graph = build_graph(Settings(preset="published", task="arithmetic", **settings), client=client, scorer=None)
    result: Verification = (await graph.ainvoke(QUESTION))["verification"]
    return result, client


def requested(client: ScriptedClient) -> list[int]:
    """The number of fast answers that each request asks for."""
    return [len(call.seeds) for call in client.calls if ".answer_fast." in call.request_id]


def facts(result: Verification) -> tuple[str, str, str | None, int, int]:
    uncertainty = result["uncertainty"]
    return result["status"], result["route"], result["answer"], uncertainty["samples"], uncertainty["planned"]


async def test_four_that_agree_are_enough() -> None:
    result, client = await verify(["56", "56", "56", "56", Stall()])
    assert facts(result) == ("ok", "direct", "56", 4, 5)
    assert (result["uncertainty"]["value"], result["confidence"], result["reasons"]) == (1.0, 1.0, [])
    assert requested(client) == [4]


async def test_three_of_four_need_the_fifth() -> None:
    result, client = await verify(["56", "57", "56", "56", "56"])
    assert facts(result) == ("ok", "direct", "56", 5, 5)
    assert (result["uncertainty"]["value"], requested(client)) == (0.8, [4, 1])


async def test_it_reasons_as_soon_as_the_votes_cannot_converge() -> None:
    result, client = await verify(["57", "58", "59", Stall(), Stall()], waves=3)
    assert facts(result) == ("ok", "reasoned", "56", 3, 5)
    assert (result["uncertainty"]["votes"][0], requested(client)) == ({"answer": "57", "count": 1}, [3])


async def test_the_rule_all_draws_everything_in_one_request() -> None:
    result, client = await verify(["56"] * 5, stopping="all", waves=3)
    assert (facts(result), requested(client)) == (("ok", "direct", "56", 5, 5), [5])


async def test_waves_have_the_same_seeds_in_the_same_order_as_one_request() -> None:
    fast = ["56", "57", "56", "56", "56"]
    (together, _), (in_waves, _), (one_by_one, _) = [
        await verify(fast, stopping="all"),
        await verify(fast, waves=5),
        await verify(fast, single_requests=True),
    ]
    for result in (in_waves, one_by_one):
        assert [(sample["seed"], sample["text"]) for sample in result["samples"]] == [
            (sample["seed"], sample["text"]) for sample in together["samples"]
        ]


async def test_single_requests_can_be_cancelled_within_a_wave() -> None:
    fast: list[Item] = ["57", Delay(0.05, "58"), "59", Stall(), Stall()]
    result, client = await verify(fast, waves=1, single_requests=True)
    assert facts(result) == ("ok", "reasoned", "56", 3, 5)
    assert [call.state for call in client.calls[:5]] == ["answered"] * 3 + ["cancelled"] * 2
    assert result["usage"]["requests"] == 5 + 4


@pytest.mark.parametrize(("stopping", "metered"), [("decided", True), ("all", False)])
async def test_single_requests_are_metered_only_if_the_rule_may_cancel_them(stopping: str, metered: bool) -> None:
    client = Metered(fast=["56"] * 5)
    settings = Settings(task="arithmetic", stopping=stopping, single_requests=True, waves=1)
    await build_graph(settings, client=client, scorer=None).ainvoke(QUESTION)
    assert client.metered == [metered] * 5


async def test_the_result_does_not_depend_on_which_request_is_faster() -> None:
    slow, _ = await verify(["57", "58", Delay(0.1, "59"), "57", "57"], waves=1, single_requests=True)
    fast, _ = await verify(["57", "58", "59", Delay(0.1, "57"), Delay(0.1, "57")], waves=1, single_requests=True)
    for result in (slow, fast):
        assert facts(result) == ("ok", "reasoned", "56", 3, 5)
        for sample in (*result["samples"], *result["paths"]):
            sample["request_id"] = sample["request_id"].removeprefix(result["run_id"])
        result["run_id"], result["timing_ms"] = "", {}
    spent = slow["usage"]["completion_tokens"], slow["usage"]["cancelled_tokens"]
    assert spent == (5 * 2 + 4 * len(PATH), 2 * 2)  # the last two had already answered
    slow["usage"] = fast["usage"]
    assert slow == fast


async def test_a_failed_wave_loses_its_votes_and_the_next_one_counts() -> None:
    gone = Fail("gone", fails_call=True)
    result, client = await verify([gone, gone, "56", "56"], samples=4, threshold=0.25, waves=2, stopping="all")
    assert requested(client) == [4]
    result, client = await verify([gone, "56", "56", "56"], samples=4, threshold=0.5, waves=4)
    assert facts(result) == ("degraded", "direct", "56", 3, 4)
    assert (result["uncertainty"]["value"], result["reasons"]) == (2 / 3, ["1 of 3 fast answers lost: gone"])
    assert requested(client) == [1, 1, 1]


async def test_a_deadline_in_the_second_wave_loses_its_running_requests() -> None:
    result, client = await verify(["56", "57", "56", "56", Stall()], deadline_s=0.3)
    assert facts(result)[:2] == ("degraded", "reasoned")
    assert (result["uncertainty"]["samples"], result["uncertainty"]["value"]) == (5, 0.6)
    assert result["reasons"][0] == "1 of 5 fast answers lost: the deadline was reached"
    assert [call.state for call in client.calls[:2]] == ["answered", "cancelled"]


async def test_if_the_first_wave_spends_the_budget_the_second_is_lost() -> None:
    result, client = await verify(["56", "57", "56", "56", "56"], max_completion_tokens=8)
    assert requested(client) == [4]
    assert result["reasons"][0] == "1 of 5 fast answers lost: the budget of completion tokens was spent"


async def test_every_sample_is_streamed_when_its_wave_arrives() -> None:
    client = ScriptedClient(fast=["56", "57", "56", "56", Delay(0.3, "56")])
    graph = build_graph(Settings(preset="published", task="arithmetic"), client=client, scorer=None)
    events = graph.astream(QUESTION, stream_mode="custom")
    seen = [(event["i"], event["text"], client.calls[-1].state) async for event in events]
    assert [(i, text) for i, text, _ in seen] == list(enumerate(["56", "57", "56", "56", "56"]))
    assert [state for *_, state in seen] == ["running"] * 4 + ["answered"]  # the last request is the second wave


def test_waves_work_without_an_event_loop() -> None:
    client = ScriptedClient(fast=["56", "57", "56", "56", "56"])
    graph = build_graph(Settings(preset="published", task="arithmetic"), client=client, scorer=None)
    assert facts(graph.invoke(QUESTION)["verification"]) == ("ok", "direct", "56", 5, 5)


@pytest.mark.parametrize(
    ("stopping", "fast", "drawn"),
    [
        ("beta", ["56"] * 16, 4),
        ("windows", ["57", *["56"] * 15], 10),
        ("sequential", ["56", "57", *["56"] * 14], 5),
        ("all", ["56"] * 16, 16),
    ],
)
async def test_each_rule_stops_when_it_has_enough(stopping: str, fast: list[Item], drawn: int) -> None:
    result, _ = await verify(fast, samples=16, waves=16, stopping=stopping)
    assert (result["uncertainty"]["samples"], result["uncertainty"]["planned"]) == (drawn, 16)


def take_65(prompt: Sequence[Message], seed: int, request_id: str) -> str:
    text = prompt[-1]["content"]
    return "A" if text.index("\n65\n") < text.index("\n66\n") else "B"


@pytest.mark.parametrize(("stopping", "drawn"), [("decided", [3, 3]), ("sequential", [2, 2])])
async def test_candidates_are_drawn_equally_often_in_both_orders(stopping: str, drawn: list[int]) -> None:
    client = ScriptedClient(take_65)
    settings: Any = {"stopping": stopping, "single_requests": False}
    graph = build_graph(Settings(task="pairwise", **settings), client=client, scorer=None)
    result: Verification = (await graph.ainvoke(PAIR))["verification"]
    orders = [tuple(sample["order"]) for sample in result["samples"]]
    assert [orders.count(order) for order in (("A", "B"), ("B", "A"))] == drawn
    assert (result["winner"], result["rewards"], result["uncertainty"]["planned"]) == (0, [1.0, 0.0], 6)


SPLIT: list[Item] = ["56", "57", "56", "56"]


async def test_speculation_uses_the_paths_that_it_started_early() -> None:
    plain, _ = await verify([*SPLIT, "58"])
    result, client = await verify([*SPLIT, Delay(0.1, "58")], speculate=True)
    names = [call.request_id.split(".", 1)[1] for call in client.calls]
    assert names == ["answer_fast.0", "answer_fast.4", *(f"expand_cot.{i}" for i in range(4))]
    assert (facts(result), result["usage"]) == (facts(plain), plain["usage"])
    assert [path["text"] for path in result["paths"]] == [PATH] * 4
    assert list(result["timing_ms"]) == list(plain["timing_ms"])


async def test_speculation_cancels_the_paths_if_the_votes_converge_and_counts_their_tokens() -> None:
    result, client = await verify([*SPLIT, Delay(0.2, "56")], ["12345", Stall(), Stall(), Stall()], speculate=True)
    assert (facts(result), result["reasons"], result["paths"]) == (("ok", "direct", "56", 5, 5), [], [])
    assert [call.state for call in client.calls[2:]] == ["answered", *["cancelled"] * 3]
    usage = result["usage"]
    assert (usage["requests"], usage["completion_tokens"], usage["cancelled_tokens"]) == (6, 15, 5)


@pytest.mark.parametrize(("fast", "settings"), [(["56"] * 5, {}), ([*SPLIT, "58"], {"max_completion_tokens": 999})])
async def test_speculation_starts_nothing_if_one_wave_is_enough_or_tokens_are_limited(
    fast: list[Item], settings: dict[str, Any]
) -> None:
    result, client = await verify(fast, speculate=True, **settings)
    early = [call.request_id for call in client.calls[: len(requested(client))] if "expand_cot" in call.request_id]
    assert (early, result["status"]) == ([], "ok")


async def test_paths_that_were_started_early_report_their_failures() -> None:
    result, _ = await verify([*SPLIT, "58"], [Fail("gone"), PATH, PATH, PATH], speculate=True)
    assert (facts(result)[:3], result["reasons"][0]) == (("degraded", "reasoned", "56"), "1 of 4 paths lost: gone")


async def test_cancelling_the_run_cancels_the_paths_that_were_started_early() -> None:
    client = ScriptedClient(fast=[*SPLIT, Stall()], paths=[Stall()] * 4)
    graph = build_graph(Settings(preset="published", task="arithmetic", speculate=True), client=client, scorer=None)
    run = asyncio.ensure_future(graph.ainvoke(QUESTION))
    while len(client.calls) < 6:
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await asyncio.sleep(0.01)
    assert [call.state for call in client.calls[1:]] == ["cancelled"] * 5
