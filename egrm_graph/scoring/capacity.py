"""Back-pressure: a bounded number of places, given out in the order in which they were asked for."""

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
class _Wish:
    places: int
    granted: Future[None] = field(default_factory=Future)


class Room:
    """May be shared by any number of threads and event loops."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._wishes: deque[_Wish] = deque()
        self._lock = threading.Lock()

    @asynccontextmanager
    async def taken(self, places: int) -> AsyncIterator[None]:
        """Holds so many places, which are never more than there are in all, waiting for them first.

        Raises:
            EgrmError: what the room was closed with.
        """
        wish = _Wish(places)
        with self._lock:
            self._wishes.append(wish)
        self._grant()
        try:
            if not wish.granted.done():
                await asyncio.wrap_future(wish.granted)
            wish.granted.result()
            yield
        finally:
            if wish.granted.cancel():  # it still waited
                with self._lock, suppress(ValueError):
                    self._wishes.remove(wish)
            elif wish.granted.exception() is None:
                with self._lock:
                    self._free += places
            self._grant()

    def close(self, error: EgrmError) -> None:
        """Fails whoever waits."""
        with self._lock:
            wishes, self._wishes = self._wishes, deque()
        for wish in wishes:
            if wish.granted.set_running_or_notify_cancel():
                wish.granted.set_exception(error)

    def _grant(self) -> None:
        with self._lock:
            while self._wishes and self._wishes[0].places <= self._free:
                wish = self._wishes.popleft()
                if wish.granted.set_running_or_notify_cancel():  # else its task is being cancelled
                    self._free -= wish.places
                    wish.granted.set_result(None)
