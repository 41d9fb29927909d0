"""Asks many lines at once and gives their results as they come, or as soon as the order of the lines allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from egrm_graph.cli.json_lines import Line
from egrm_graph.errors import EgrmError

Answer = TypeVar("Answer", bound=Mapping[str, Any])

Check = Callable[[], Awaitable[None]]

AHEAD = 16
"""For each question under way, so many results may wait for the slowest one before them."""


@dataclass(frozen=True)
class Result(Generic[Answer]):
    """What came of one line: an answer, or the reason why there is none."""

    line: Line
    answer: Answer | None
    error: str | None = None


@dataclass(frozen=True)
class Asking(Generic[Answer]):
    """How a line is asked."""

    ask: Callable[[Line], Awaitable[Answer]]
    lost: Callable[[Answer], bool]
    """Whether none of what an answer is made of could be drawn."""
    check: Check
    """Raises what would make every other line fail in the same way."""


async def answer_lines(
    lines: AsyncIterator[Line],
    asking: Asking[Answer],
    write: Callable[[Result[Answer]], None],
    *,
    concurrency: int,
    in_order: bool = True,
) -> None:
    """Asks every line, at most `concurrency` at once; a line that fails costs no other line its answer.

    Results are written in the order of the lines or, without `in_order`, each as soon as it is there. Where an answer
    is `lost`, `check` tells whether any other's would be, too. What it raises ends the run.
    """
    slots = asyncio.Semaphore(concurrency)
    ordered: asyncio.Queue[asyncio.Task[Result[Answer]] | None] = asyncio.Queue(concurrency * AHEAD)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_write_in_order(ordered, write))
            async for line in lines:
                await slots.acquire()
                task = tasks.create_task(_answer(line, asking) if in_order else _answer_and_write(line, asking, write))
                task.add_done_callback(lambda _: slots.release())
                if in_order:
                    await ordered.put(task)
            await ordered.put(None)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None


async def _write_in_order(
    ordered: asyncio.Queue[asyncio.Task[Result[Answer]] | None], write: Callable[[Result[Answer]], None]
) -> None:
    while (task := await ordered.get()) is not None:
        write(await task)


async def _answer_and_write(
    line: Line, asking: Asking[Answer], write: Callable[[Result[Answer]], None]
) -> Result[Answer]:
    result = await _answer(line, asking)
    write(result)
    return result


async def _answer(line: Line, asking: Asking[Answer]) -> Result[Answer]:
    if line.error is not None:
        return Result(line, None, line.error)
    try:
        answer = await asking.ask(line)
    except EgrmError as error:
        return Result(line, None, str(error))
    except Exception as error:  # a mistake of ours that one line brings out must not cost the others their answers
        return Result(line, None, f"{type(error).__name__}: {error}")
    if asking.lost(answer):
        await asking.check()
    return Result(line, answer)
