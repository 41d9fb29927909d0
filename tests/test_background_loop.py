"""The event loop in a thread: what its callers get from other loops."""

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from egrm_graph.runtime.background_loop import BackgroundLoop

name: contextvars.ContextVar[str] = contextvars.ContextVar("name")


@pytest.fixture
def loop() -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop("test")
    yield loop
    loop.close()


async def test_many_callers_get_their_own_results(loop: BackgroundLoop) -> None:
    async def double(i: int) -> tuple[int, str]:
        await asyncio.sleep(0.001 * (i % 3))
        return 2 * i, threading.current_thread().name

    found = await asyncio.gather(*(loop.await_(double(i)) for i in range(50)))
    assert found == [(2 * i, "test") for i in range(50)]


async def test_work_runs_in_the_context_of_its_caller(loop: BackgroundLoop) -> None:
    async def named() -> str:
        return name.get()

    async def call(text: str) -> str:
        name.set(text)
        return await loop.await_(named())

    assert list(await asyncio.gather(call("one"), call("two"))) == ["one", "two"]


async def test_cancelling_the_caller_cancels_the_work_and_reports_nothing(loop: BackgroundLoop) -> None:
    running, cancelled = threading.Event(), threading.Event()
    reported: list[dict[str, Any]] = []

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        running.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    task = asyncio.create_task(loop.await_(work()))
    await asyncio.to_thread(running.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(cancelled.wait, 5)
    await loop.await_(asyncio.sleep(0))  # after everything that the cancelled task still does there
    assert reported == []


async def test_an_error_reaches_the_caller_and_leaves_no_reference_cycle(loop: BackgroundLoop) -> None:
    class Broken(Exception):
        pass

    async def work() -> None:
        raise Broken

    async def failing() -> "weakref.ref[Broken]":
        try:
            await loop.await_(work())
        except Broken as error:
            return weakref.ref(error)
        raise AssertionError

    gc.disable()
    try:
        found = await failing()
        await loop.await_(asyncio.sleep(0))
        assert found() is None
    finally:
        gc.enable()


def test_loops_of_several_threads_are_served_at_once(loop: BackgroundLoop) -> None:
    async def calls() -> list[int]:
        async def value(i: int) -> int:
            return i

        return await asyncio.gather(*(loop.await_(value(i)) for i in range(200)))

    found: list[list[int]] = []
    threads = [threading.Thread(target=lambda: found.append(asyncio.run(calls()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [list(range(200))] * 4
