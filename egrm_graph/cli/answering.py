"""Answers many lines at once, and writes their results at once or in the order of the lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from egrm_graph.cli.json_lines import Line
from egrm_graph.errors import EgrmError

LineAnswer = TypeVar("LineAnswer", bound=Mapping[str, Any])

Check = Callable[[], Awaitable[None]]

AHEAD = 16
"""For each line in progress, up to this many results may wait for a slower line before them."""


@dataclass(frozen=True)
class LineResult(Generic[LineAnswer]):
    """The result of one line: an answer, or the reason why it has none."""

    line: Line
    answer: LineAnswer | None
    error: str | None = None


@dataclass(frozen=True)
class Answering(Generic[LineAnswer]):
    """How to answer a line."""

    answer: Callable[[Line], Awaitable[LineAnswer]]
    all_lost: Callable[[LineAnswer], bool]
    """Whether every sample or path of an answer was lost."""
    check: Check
    """Raises if something would make every other line fail in the same way."""


async def answer_lines(
    lines: AsyncIterator[Line],
    answering: Answering[LineAnswer],
    write: Callable[[LineResult[LineAnswer]], None],
    *,
    concurrency: int,
    in_order: bool = True,
) -> None:
    """Answer every line, at most `concurrency` at once. A line that fails does not affect the others.

    Results are written in the order of the lines or, without `in_order`, as soon as they are ready. If everything in an
    answer was lost, `check` finds out whether the other lines would fail too. An error that it raises ends the run.
    """
    slots = asyncio.Semaphore(concurrency)
    ordered: asyncio.Queue[asyncio.Task[LineResult[LineAnswer]] | None] = asyncio.Queue(concurrency * AHEAD)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_write_in_order(ordered, write))
            async for line in lines:
                await slots.acquire()
                task = tasks.create_task(
                    _answer(line, answering) if in_order else _answer_and_write(line, answering, write)
                )
                task.add_done_callback(lambda _: slots.release())
                if in_order:
                    await ordered.put(task)
            await ordered.put(None)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None


async def _write_in_order(
    ordered: asyncio.Queue[asyncio.Task[LineResult[LineAnswer]] | None],
    write: Callable[[LineResult[LineAnswer]], None],
) -> None:
    while (task := await ordered.get()) is not None:
        write(await task)


async def _answer_and_write(
    line: Line, answering: Answering[LineAnswer], write: Callable[[LineResult[LineAnswer]], None]
) -> LineResult[LineAnswer]:
    result = await _answer(line, answering)
    write(result)
    return result


async def _answer(line: Line, answering: Answering[LineAnswer]) -> LineResult[LineAnswer]:
    if line.error is not None:
        return LineResult(line, None, line.error)
    try:
        answer = await answering.answer(line)
    except EgrmError as error:
        return LineResult(line, None, str(error))
    except Exception as error:  # a bug that one line reveals must not cost the other lines their answers
        return LineResult(line, None, f"{type(error).__name__}: {error}")
    if answering.all_lost(answer):
        await answering.check()
    return LineResult(line, answer)
