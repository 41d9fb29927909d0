"""Speculation: paths that are drawn before the gate has decided whether there are to be any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from egrm_graph.clients.client import Client, Completion
from egrm_graph.drawing.calls import Call, Limits, Lost, cancelled, draw
from egrm_graph.drawing.samples import lost_reasons, path_of
from egrm_graph.tasks.task import Task, View
from egrm_graph.verification import Path, Usage


@dataclass(frozen=True)
class Paths:
    """The paths that were drawn, lost ones included."""

    paths: list[Path]
    usage: Usage
    reasons: list[str]
    """Why some are lost."""


async def draw_paths(
    client: Client,
    task: Task,
    drawn_in: Sequence[tuple[Call, View]],
    limits: Limits,
    landed: Callable[[int, Path], None] | None = None,
    *,
    unneeded: asyncio.Event | None = None,
) -> Paths:
    """A path for each call. `landed` is called as each ends; setting `unneeded` cancels those that still run."""

    def path(i: int, outcome: Completion | Lost) -> Path:
        return path_of(outcome, *drawn_in[i], task)

    def told(i: int, outcomes: Sequence[Completion | Lost]) -> None:
        if landed is not None:
            landed(i, path(i, outcomes[0]))

    drawing = await draw(client, [call for call, _ in drawn_in], limits, told, unneeded=unneeded)
    outcomes = [outcome for (outcome,) in drawing.outcomes]
    paths = [path(i, outcome) for i, outcome in enumerate(outcomes)]
    return Paths(paths, drawing.usage, lost_reasons("paths", outcomes))


class Ahead:
    """Paths under way. Whoever starts them takes or discards them, and closes this in the end."""

    def __init__(self, paths: Callable[[asyncio.Event], Coroutine[Any, Any, Paths]]) -> None:
        self._paths = paths
        self._unneeded = asyncio.Event()
        self._task: asyncio.Task[Paths] | None = None

    @property
    def started(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._paths(self._unneeded))

    async def take(self) -> Paths:
        """The paths, once all have ended; only after `start`."""
        assert self._task is not None
        return await self._task

    async def discard(self) -> Usage:
        """Cancels what still runs, and gives what all of it cost: for nothing."""
        self._unneeded.set()
        return cancelled((await self.take()).usage)

    def close(self) -> None:
        """Cancels what still runs where the run itself ends before its time."""
        if self._task is not None:
            self._task.cancel()
