"""Several calls at once: the rest are cancelled when the first are enough, and their tokens are counted."""

import asyncio
from collections.abc import Sequence

from egrm_graph.clients.client import Completion, Sampling
from egrm_graph.clients.scripted import Delay, Fail, Item, ScriptedClient, Stall
from egrm_graph.drawing.calls import Call, Drawing, Limits, Lost, Outcomes, draw
from egrm_graph.verification import Usage

SAMPLING = Sampling(temperature=1.0, max_tokens=64)


def calls(n: int) -> list[Call]:
    return [Call([], SAMPLING, (i,), f"run.answer_fast.{i}") for i in range(n)]


def texts(outcomes: Sequence[Outcomes]) -> list[str]:
    return [item.text if isinstance(item, Completion) else f"lost: {item.reason}" for call in outcomes for item in call]


def spent(requests: int, tokens: int, cancelled: int) -> Usage:
    return Usage(
        requests=requests, prompt_tokens=0, cached_tokens=0, completion_tokens=tokens, cancelled_tokens=cancelled
    )


async def drawn(items: Sequence[Item], wanted: int, limits: Limits | None = None) -> tuple[Drawing, ScriptedClient]:
    client = ScriptedClient(fast=items)

    def enough(outcomes: Sequence[Outcomes]) -> bool:
        return len(outcomes) == wanted

    return await draw(client, calls(len(items)), limits or Limits(), enough=enough), client


async def test_when_the_first_calls_are_enough_the_others_are_cancelled() -> None:
    drawing, client = await drawn(["56", "57", Stall(), Stall()], 2)
    assert texts(drawing.outcomes) == ["56", "57"]
    assert [call.state for call in client.calls] == ["answered", "answered", "cancelled", "cancelled"]


async def test_a_later_call_that_finishes_first_is_dropped_and_counts_as_cancelled() -> None:
    drawing, _ = await drawn([Delay(0.1, "56"), "57", "588"], 1)
    assert texts(drawing.outcomes) == ["56"]
    assert drawing.usage == spent(requests=3, tokens=7, cancelled=5)


async def test_tokens_of_running_calls_count_as_cancelled() -> None:
    drawing, _ = await drawn([Delay(0.2, "56"), Delay(4.0, "x" * 40)], 1)
    usage = drawing.usage
    assert usage == spent(requests=2, tokens=2 + usage["cancelled_tokens"], cancelled=usage["cancelled_tokens"])
    assert 1 <= usage["cancelled_tokens"] <= 30  # one token per tenth of a second


async def test_enough_sees_the_calls_in_order_whichever_finishes_first() -> None:
    seen: list[list[str]] = []

    def enough(outcomes: Sequence[Outcomes]) -> bool:
        seen.append(texts(outcomes))
        return False

    client = ScriptedClient(fast=[Delay(0.1, "a"), "b", Delay(0.2, "c")])
    drawing = await draw(client, calls(3), Limits(), enough=enough)
    assert seen == [["a"], ["a", "b"], ["a", "b", "c"]]
    assert drawing.usage == spent(requests=3, tokens=3, cancelled=0)


async def test_a_failed_call_counts_as_one_of_the_first() -> None:
    drawing, _ = await drawn([Fail("gone"), "57", Stall()], 2)
    assert texts(drawing.outcomes) == ["lost: gone", "57"]


async def test_a_spent_budget_loses_the_calls_that_still_run() -> None:
    drawing, _ = await drawn(["5678", Stall()], 2, Limits(tokens_left=4))
    assert drawing.outcomes[1] == (Lost("the budget of completion tokens was spent", by_limit=True),)


async def test_a_drawing_that_is_no_longer_needed_is_cancelled() -> None:
    client, unneeded = ScriptedClient(fast=["56", Stall()]), asyncio.Event()
    drawing = asyncio.ensure_future(draw(client, calls(2), Limits(), unneeded=unneeded))
    while [call.state for call in client.calls] != ["answered", "running"]:
        await asyncio.sleep(0.01)
    unneeded.set()
    assert texts((await drawing).outcomes) == ["56", "lost: cancelled"]
    assert client.calls[1].state == "cancelled"
