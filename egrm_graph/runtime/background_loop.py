"""An event loop in a thread of its own, for work that must not depend on the caller's loop, if it has one."""

from __future__ import annotations

import asyncio
import contextvars
import os
import selectors
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from egrm_graph.runtime.forking import call_in_children

_T = TypeVar("_T")


class BackgroundLoop:
    """Runs coroutines on a daemon thread, which starts with the first one and ends with `close`.

    A forked child starts a loop of its own. It never closes anything on its parent's loop.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._selector: selectors.BaseSelector | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._mailboxes = WeakKeyDictionary[asyncio.AbstractEventLoop, _Mailbox]()
        call_in_children(self._leave_parents_loop)

    def submit(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Starts the coroutine. Cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(work, self._running_loop())

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs the coroutine to its end, from any thread other than this loop's own."""
        future = self.submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def await_(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Awaits the coroutine from any other loop. Cancelling the awaiting task cancels it.

        Works like `wrap_future(self.submit(work))`, but wakes each loop only once for many coroutines.
        """
        here, there = asyncio.get_running_loop(), self._running_loop()
        result: asyncio.Future[_T] = here.create_future()
        started: list[asyncio.Task[_T]] = []
        self._post(there, partial(self._start, there, work, contextvars.copy_context(), result, started))
        try:
            return await result
        except asyncio.CancelledError:
            self._post(there, partial(_cancel, started))
            raise
        finally:
            del result, started  # an error in them refers to this frame

    def _start(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, _T],
        context: contextvars.Context,
        result: asyncio.Future[_T],
        started: list[asyncio.Task[_T]],
    ) -> None:
        task = loop.create_task(work, context=context)
        task.add_done_callback(partial(self._report, result), context=context)
        started.append(task)

    def _report(self, result: asyncio.Future[_T], task: asyncio.Task[_T]) -> None:
        self._post(result.get_loop(), partial(_copy, task, result))

    def _post(self, loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
        mailbox = self._mailboxes.get(loop) or self._mailboxes.setdefault(loop, _Mailbox())
        mailbox.post(loop, call)

    def close(self) -> None:
        """Stops the loop and waits for its thread. A later `submit` starts another one."""
        with self._lock:
            loop, thread, self._loop, self._thread, self._selector = self._loop, self._thread, None, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._selector = selectors.DefaultSelector()  # created here, to find the loop's sockets after a fork
                # In an empty context: a loop keeps the context it is created in, and a run's context holds the graph.
                self._loop = contextvars.Context().run(asyncio.SelectorEventLoop, self._selector)
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop

    def _leave_parents_loop(self) -> None:
        loop, selector = self._loop, self._selector
        self._lock = threading.Lock()
        self._loop = self._thread = self._selector = None
        self._mailboxes = WeakKeyDictionary()
        if loop is not None and selector is not None:
            # Only the parent should warn about running work, or about calls from other threads than the loop's.
            loop.set_exception_handler(lambda *_: None)
            loop.set_debug(False)
            with suppress(OSError):
                _release(selector)


class _Mailbox:
    """What other threads want called on a loop. It wakes the loop only for the first of the calls that wait: each wake
    is a system call, at which another thread takes the interpreter."""

    def __init__(self) -> None:
        self._calls = deque[Callable[[], object]]()
        self._woken = False

    def post(self, loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
        self._calls.append(call)
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed: nothing waits for this anymore
                loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        self._woken = False  # first: a call that comes from now on may come too late for this loop
        while self._calls:
            self._calls.popleft()()


def _cancel(started: list[asyncio.Task[_T]]) -> None:
    for task in started:
        task.cancel()


def _copy(task: asyncio.Task[_T], result: asyncio.Future[_T]) -> None:
    """Passes on how the task ended, unless nobody waits for it anymore."""
    error = None if task.cancelled() else task.exception()
    if result.done():
        return
    if task.cancelled():
        result.cancel()
    elif error is not None:
        result.set_exception(error)
    else:
        result.set_result(task.result())


def _release(selector: selectors.BaseSelector) -> None:
    """Points this process's copies of the selector's files at the null device.

    Closing sockets through the loop would remove them from the parent's epoll, too, because parent and child share it.
    If they stayed open, they would keep connections alive that the parent closes.
    """
    files = [key.fd for key in selector.get_map().values()]
    if isinstance(own := getattr(selector, "fileno", lambda: None)(), int):  # epoll and similar selectors have a file
        files.append(own)
    null = os.open(os.devnull, os.O_RDWR)
    for file in files:
        os.dup2(null, file, inheritable=False)
    os.close(null)
