from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from egrm_graph.clients.client import Client, Completion, Meter, Sampling
from egrm_graph.clients.scripted import Delay, Disconnect, Fail, ScriptedClient, Stall
from egrm_graph.errors import ContextTooLong, EgrmError, ServerError, SetupError, Unsupported
from egrm_graph.verification import Message

PROMPT: list[Message] = [{"role": "user", "content": "17+48-9="}]
SAMPLING = Sampling(temperature=1.0, max_tokens=64)


async def fast(client: ScriptedClient, n: int, *, run: str = "r", meter: Meter | None = None) -> list[Completion]:
    drawn = await client.sample(PROMPT, SAMPLING, seeds=range(n), request_id=f"{run}.answer_fast.0", meter=meter)
    return list(drawn.completions)


async def path(client: ScriptedClient, index: int, *, run: str = "r") -> str:
    drawn = await client.sample(PROMPT, SAMPLING, seeds=[index], request_id=f"{run}.expand_cot.{index}")
    return drawn.completions[0].text


def texts(completions: Sequence[Completion]) -> list[str]:
    return [completion.text for completion in completions]


def test_is_a_client() -> None:
    assert isinstance(ScriptedClient(), Client)


async def test_fast_answers_come_in_the_order_of_their_seeds() -> None:
    assert texts(await fast(ScriptedClient(fast=["56", "57", "58"]), 3)) == ["56", "57", "58"]


async def test_a_path_is_found_by_its_number_whatever_comes_first() -> None:
    client = ScriptedClient(paths=["a", Delay(0.01, "b"), "c"])
    assert await asyncio.gather(*(path(client, index) for index in (2, 0, 1))) == ["c", "a", "b"]


async def test_every_run_starts_from_the_top() -> None:
    client = ScriptedClient(fast=["1", "2"])
    one, other = await asyncio.gather(fast(client, 2, run="one"), fast(client, 2, run="a.dotted.name"))
    assert texts(one) == texts(other) == ["1", "2"]


async def test_later_calls_continue_at_their_number() -> None:
    client = ScriptedClient({"answer_fast": ["1", "2", "3", "4"]})
    drawn = await client.sample(PROMPT, SAMPLING, seeds=[8, 9], request_id="r.answer_fast.2")
    assert texts(drawn.completions) == ["3", "4"]


async def test_a_function_sees_prompt_seed_and_request() -> None:
    client = ScriptedClient(lambda prompt, seed, request_id: f"{prompt[0]['content']} {seed} {request_id}")
    assert texts(await fast(client, 2)) == ["17+48-9= 0 r.answer_fast.0", "17+48-9= 1 r.answer_fast.0"]


async def test_a_completion_is_returned_unchanged() -> None:
    cut = Completion("17+", "length", 64, thinking="hm")
    assert await fast(ScriptedClient(fast=[cut]), 1) == [cut]


async def test_tokens_are_characters() -> None:
    client = ScriptedClient(fast=["56", "#7-1"])
    drawn = await client.sample(PROMPT, SAMPLING, seeds=[0, 1], request_id="r.answer_fast.0")
    assert [completion.n_tokens for completion in drawn.completions] == [2, 4]
    assert drawn.usage == {
        "requests": 1,
        "prompt_tokens": 8,
        "cached_tokens": 0,
        "completion_tokens": 6,
        "cancelled_tokens": 0,
    }


async def test_a_short_script_says_what_is_missing() -> None:
    with pytest.raises(SetupError, match=r"has 2 answers for 'answer_fast'.*asks for number 3"):
        await fast(ScriptedClient(fast=["1", "2"]), 3)


async def test_an_unscripted_node_is_named() -> None:
    with pytest.raises(SetupError, match=r"no answers for 'expand_cot'.*only for 'answer_fast'"):
        await path(ScriptedClient(fast=["1"]), 0)


async def test_a_foreign_request_id_is_named() -> None:
    with pytest.raises(SetupError, match=r"'warm-up'.*function"):
        await ScriptedClient(fast=["1"]).sample(PROMPT, SAMPLING, seeds=[0], request_id="warm-up")


def test_two_scripts_at_once_are_refused() -> None:
    with pytest.raises(SetupError, match="either"):
        ScriptedClient({"answer_fast": ["1"]}, fast=["1"])


async def test_a_failure_among_others_is_a_lost_sample() -> None:
    lost, answered = await fast(ScriptedClient(fast=[Fail("out of memory"), "56"]), 2)
    assert lost == Completion("", "abort", None, error="out of memory")
    assert answered.text == "56"


async def test_nothing_but_failures_raises() -> None:
    with pytest.raises(ServerError, match="first"):
        await fast(ScriptedClient(fast=[Fail("first"), Fail("second")]), 2)


async def test_a_failure_of_the_call_raises() -> None:
    with pytest.raises(ServerError, match="gone"):
        await fast(ScriptedClient(fast=["56", Fail("gone", fails_call=True)]), 2)


async def test_a_failure_can_be_any_of_our_errors() -> None:
    error = ContextTooLong("9 tokens, and the context holds 8")
    with pytest.raises(ContextTooLong) as raised:
        await fast(ScriptedClient(fast=[Fail(error)]), 1)
    assert raised.value is error


async def test_a_disconnect_ends_the_call_after_its_tokens() -> None:
    meter = Meter()
    with pytest.raises(ServerError, match="after 3 tokens"):
        await fast(ScriptedClient(fast=[Stall(), Disconnect(after_tokens=3)]), 2, meter=meter)
    assert meter.n_tokens == 3


async def test_a_delay_spreads_its_tokens() -> None:
    started, seen = time.monotonic(), list[float]()
    meter = Meter(on_change=lambda: seen.append(time.monotonic() - started))
    assert texts(await fast(ScriptedClient(fast=[Delay(0.1, "1234")]), 1, meter=meter)) == ["1234"]
    assert len(seen) == 4
    assert seen[-1] - seen[0] >= 0.05
    assert seen[-1] >= 0.09


async def test_a_stalled_answer_ends_by_cancelling() -> None:
    client = ScriptedClient(fast=["56", Stall()])
    meter = Meter()
    waiting = asyncio.create_task(fast(client, 2, meter=meter))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting, 0.05)
    assert meter.n_tokens == 2
    assert [call.state for call in client.calls] == ["cancelled"]


async def test_calls_are_recorded_with_their_outcome() -> None:
    client = ScriptedClient(fast=["56"], paths=[Fail("lost")])
    await fast(client, 1)
    with pytest.raises(ServerError):
        await path(client, 0)
    assert [(call.request_id, call.seeds, call.state) for call in client.calls] == [
        ("r.answer_fast.0", (0,), "answered"),
        ("r.expand_cot.0", (0,), "failed"),
    ]
    assert client.calls[0].prompt == tuple(PROMPT)
    assert client.calls[0].sampling == SAMPLING


def test_one_client_serves_several_event_loops() -> None:
    client = ScriptedClient(fast=["1", Delay(0.01, "2")])
    assert [texts(asyncio.run(fast(client, 2, run=str(loop)))) for loop in range(3)] == [["1", "2"]] * 3


async def test_labels_are_scripted() -> None:
    client = ScriptedClient(labels={"A": -0.5, "B": -1.0, "C": -9.0})
    found = await client.label_logprobs(PROMPT, ["B", "A"], request_id="r.judge.0")
    assert client.gives_logprobs
    assert found.logprobs == {"B": -1.0, "A": -0.5}


async def test_labels_can_follow_from_the_prompt_and_fail_for_it() -> None:
    client = ScriptedClient(labels=lambda prompt: {"A": -0.5} if prompt else ServerError("no prompt"))
    assert (await client.label_logprobs(PROMPT, ["A"], request_id="r.judge.0")).logprobs == {"A": -0.5}
    with pytest.raises(ServerError, match="no prompt"):
        await client.label_logprobs([], ["A"], request_id="r.judge.0")
    assert [call.state for call in client.calls] == ["answered", "failed"]


async def test_a_label_that_is_not_scripted_is_named() -> None:
    with pytest.raises(SetupError, match="'Z'"):
        await ScriptedClient(labels={"A": -0.5}).label_logprobs(PROMPT, ["Z"], request_id="r.judge.0")


async def test_no_labels_means_no_logprobs() -> None:
    client = ScriptedClient(fast=["56"])
    assert not client.gives_logprobs
    with pytest.raises(Unsupported, match="labels="):
        await client.label_logprobs(PROMPT, ["A"], request_id="r.judge.0")
    with pytest.raises(Unsupported, match="log-probabilities"):
        await client.sample(PROMPT, Sampling(1.0, 8, logprobs=1), seeds=[0], request_id="r.answer_fast.0")


async def test_a_closed_client_does_not_answer() -> None:
    client = ScriptedClient(fast=["56"])
    await client.check()
    await client.aclose()
    for call in (fast(client, 1), client.check()):
        with pytest.raises(EgrmError, match="closed"):
            await call
