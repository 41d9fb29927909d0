"""Back-pressure: a semaphore that grants permits in the order of the requests."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from egrm_graph.errors import EgrmError


@dataclass(eq=False)
class _Waiter:
    permits: int
    granted: Future[None] = field(default_factory=Future)


class WeightedSemaphore:
    """A first-in, first-out semaphore. Any number of threads and event loops may share it."""

    def __init__(self, permits: int) -> None:
        self._free = permits
        self._waiters: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    @asynccontextmanager
    async def hold(self, permits: int) -> AsyncIterator[None]:
        """Waits for this many permits and holds them. They must not be more than the semaphore has.

        Raises:
            EgrmError: the error that the semaphore was closed with.
        """
        waiter = _Waiter(permits)
        with self._lock:
            self._waiters.append(waiter)
        self._grant()
        try:
            if not waiter.granted.done():
                await asyncio.wrap_future(waiter.granted)
            waiter.granted.result()
            yield
        finally:
            if waiter.granted.cancel():  # it was still waiting
                with self._lock, suppress(ValueError):
                    self._waiters.remove(waiter)
            elif waiter.granted.exception() is None:
                with self._lock:
                    self._free += permits
            self._grant()

    def close(self, error: EgrmError) -> None:
        """Raises the error in every waiter."""
        with self._lock:
            waiters, self._waiters = self._waiters, deque()
        for waiter in waiters:
            if waiter.granted.set_running_or_notify_cancel():
                waiter.granted.set_exception(error)

    def _grant(self) -> None:
        with self._lock:
            while self._waiters and self._waiters[0].permits <= self._free:
                waiter = self._waiters.popleft()
                if waiter.granted.set_running_or_notify_cancel():  # otherwise its task is being cancelled
                    self._free -= waiter.permits
                    waiter.granted.set_result(None)
