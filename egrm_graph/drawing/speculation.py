"""Speculation: paths that are drawn before the gate decides whether they are needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from egrm_graph.drawing.calls import cancelled
from egrm_graph.state import Stage
from egrm_graph.verification import Usage

Result = TypeVar("Result", bound=Stage)


class Speculation(Generic[Result]):
    """Work under way that may turn out unneeded. Whoever starts it takes or discards it, and closes this at the end."""

    def __init__(self, work: Callable[[asyncio.Event], Coroutine[Any, Any, Result]]) -> None:
        self._work = work
        self._unneeded = asyncio.Event()
        self._task: asyncio.Task[Result] | None = None

    @property
    def started(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._work(self._unneeded))

    async def take(self) -> Result:
        """The result, once all of it is there; only after `start`."""
        assert self._task is not None
        return await self._task

    async def discard(self) -> Usage:
        """Cancels what still runs; what all of it cost counts as cancelled."""
        self._unneeded.set()
        return cancelled((await self.take())["usage"])

    def close(self) -> None:
        """Cancels what still runs if the run itself ends early."""
        if self._task is not None:
            self._task.cancel()
