"""Asks many lines at once and gives their results in the order of the lines, as soon as that order allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from egrm_graph.cli.lines import Line
from egrm_graph.errors import EgrmError
from egrm_graph.verification import Verification

Ask = Callable[[dict[str, Any]], Awaitable[Verification]]
Check = Callable[[], Awaitable[None]]

AHEAD = 16
"""For each question under way, so many results may wait for the slowest one before them."""


@dataclass(frozen=True)
class Result:
    """What came of one line: a verification, or the reason why there is none."""

    line: Line
    verification: Verification | None
    error: str | None = None


async def answer_lines(
    lines: AsyncIterator[Line], ask: Ask, write: Callable[[Result], None], *, concurrency: int, check: Check
) -> None:
    """Asks every line, at most `concurrency` at once; a line that fails costs no other line its answer.

    Where none of a question's samples could be drawn, `check` tells whether any other's could. What it raises ends the
    run, for the rest of the input would only fail in the same way.
    """
    slots = asyncio.Semaphore(concurrency)
    ordered: asyncio.Queue[asyncio.Task[Result] | None] = asyncio.Queue(concurrency * AHEAD)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_write_in_order(ordered, write))
            async for line in lines:
                await slots.acquire()
                task = tasks.create_task(_answer(line, ask, check))
                task.add_done_callback(lambda _: slots.release())
                await ordered.put(task)
            await ordered.put(None)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None


async def _write_in_order(ordered: asyncio.Queue[asyncio.Task[Result] | None], write: Callable[[Result], None]) -> None:
    while (task := await ordered.get()) is not None:
        write(await task)


async def _answer(line: Line, ask: Ask, check: Check) -> Result:
    if line.error is not None:
        return Result(line, None, line.error)
    try:
        verification = await ask(line.asked)
    except EgrmError as error:
        return Result(line, None, str(error))
    except Exception as error:  # a mistake of ours that one line brings out must not cost the others their answers
        return Result(line, None, f"{type(error).__name__}: {error}")
    if verification["status"] == "abstained" and all(sample["error"] for sample in verification["samples"]):
        await check()
    return Result(line, verification)
