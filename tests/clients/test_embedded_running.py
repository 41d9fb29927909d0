from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from egrm_graph.clients.client import Completions, Meter
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.errors import RunError, SetupError
from tests.clients.untrained import (
    draw,
    save_model,
    texts,
)


async def test_meter_counts_tokens_as_they_come(client: EmbeddedClient) -> None:
    seen: list[int] = []
    meter = Meter(on_change=lambda: seen.append(meter.n_tokens))
    drawn = await draw(client, seeds=range(5), meter=meter)
    assert meter.n_tokens == drawn.usage["completion_tokens"]
    assert seen[0] == 5
    assert len(seen) == max(completion.n_tokens or 0 for completion in drawn.completions)


async def test_a_failing_meter_fails_only_its_own_request(client: EmbeddedClient) -> None:
    def broken() -> None:
        raise ValueError("no such thing")

    failed, well = await asyncio.gather(
        draw(client, meter=Meter(on_change=broken)), draw(client, seeds=[1]), return_exceptions=True
    )
    assert isinstance(failed, RunError)
    assert isinstance(well, Completions)


async def test_cancelling_stops_a_running_row_at_its_next_token(client: EmbeddedClient) -> None:
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    go_on = threading.Event()

    def on_change() -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)

    meter = Meter(on_change=on_change)
    running = asyncio.create_task(draw(client, seeds=range(200), max_tokens=90, meter=meter))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    go_on.set()
    await draw(client)  # the worker starts it only after the cancelled batch has ended
    assert meter.n_tokens == 200


async def test_cancelling_removes_a_queued_row(client: EmbeddedClient) -> None:
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    go_on = threading.Event()

    def on_change() -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)

    running = asyncio.create_task(draw(client, meter=Meter(on_change=on_change)))
    await begun.wait()
    meter = Meter()
    waiting = asyncio.create_task(draw(client, meter=meter))
    await asyncio.sleep(0)
    waiting.cancel()
    go_on.set()
    await running
    await draw(client)
    assert waiting.cancelled()
    assert meter.n_tokens == 0


def test_any_number_of_event_loops_and_threads_may_call(folder: Path) -> None:
    client = EmbeddedClient.load(folder)
    found: dict[int, list[str]] = {}

    def run(number: int) -> None:
        found[number] = texts(asyncio.run(draw(client, seeds=[number, 100])))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({found[number][1] for number in found}) == 1
    asyncio.run(client.aclose())


async def test_more_rows_than_a_batch_holds(folder: Path) -> None:
    small, large = EmbeddedClient.load(folder, max_batch_rows=3), EmbeddedClient.load(folder)
    one, other = await asyncio.gather(draw(small, seeds=range(20)), draw(large, seeds=range(20)))
    assert texts(one) == texts(other)
    await asyncio.gather(small.aclose(), large.aclose())


async def test_a_failed_batch_says_why_and_the_worker_lives_on(client: EmbeddedClient) -> None:
    with pytest.raises(RunError, match="failed in this process: TypeError"):
        await draw(client, seeds=["no seed"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    assert await draw(client)


async def test_logits_that_are_not_numbers_are_an_error(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    save_model(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    torch.nn.init.constant_(model.model.norm.weight, float("nan"))
    model.save_pretrained(tmp_path)
    client = EmbeddedClient.load(tmp_path)
    with pytest.raises(RunError, match="not numbers"):
        await draw(client)
    await client.aclose()


async def test_closing_fails_what_runs_and_what_comes(folder: Path) -> None:
    client = EmbeddedClient.load(folder)
    loop, begun = asyncio.get_running_loop(), asyncio.Event()

    def on_change() -> None:
        loop.call_soon_threadsafe(begun.set)

    meter = Meter(on_change=on_change)
    running = [asyncio.create_task(draw(client, seeds=range(500), max_tokens=90, meter=meter)) for _ in range(4)]
    await begun.wait()
    await client.aclose()
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [SetupError] * 4
    with pytest.raises(SetupError, match="closed"):
        await draw(client)
    with pytest.raises(SetupError, match="closed"):
        await client.check()


async def test_no_seeds_mean_no_work(client: EmbeddedClient) -> None:
    assert (await draw(client, seeds=[])).completions == ()
