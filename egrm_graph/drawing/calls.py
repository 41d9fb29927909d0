"""Draws completions with any number of calls at once, within a deadline and a token budget.

All sampling of the graph goes through `draw`. A call that fails becomes lost samples with a reason. A limit that is
reached cancels what still runs, and so does a rule that has enough. The tokens of canceled calls count as spent.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from egrm_graph.clients.client import Client, Completion, Completions, Meter, Sampling, add_usage, no_usage
from egrm_graph.errors import EgrmError, Unsupported
from egrm_graph.verification import Message, Usage

REPEATED = "a cache sent an earlier response again instead of a new one; turn it off"


@dataclass(frozen=True)
class Call:
    """One request: a completion for each seed."""

    prompt: Sequence[Message]
    sampling: Sampling
    seeds: tuple[int, ...]
    request_id: str
    aside: str = ""
    """What it is for, if it gives neither a fast answer nor a path."""
    labels: tuple[str, ...] = ()
    """If not empty, the probabilities of these labels as the next token are read if the client can. The completion is
    then the likeliest label, and its `top_logprobs` have all of them. Otherwise it is sampled."""


@dataclass(frozen=True)
class Limits:
    """What a run may still use."""

    deadline_at: float | None = None
    """Seconds since the epoch."""
    tokens_left: int | None = None

    @property
    def seconds_left(self) -> float | None:
        return None if self.deadline_at is None else self.deadline_at - time.time()

    @property
    def reached(self) -> str | None:
        """The limit that is reached, or None."""
        if self.seconds_left is not None and self.seconds_left <= 0:
            return "the deadline was reached"
        if self.tokens_left is not None and self.tokens_left <= 0:
            return "the budget of completion tokens was spent"
        return None

    def less(self, n_tokens: int) -> Limits:
        """These limits after that many more tokens."""
        return self if self.tokens_left is None else replace(self, tokens_left=self.tokens_left - n_tokens)


@dataclass(frozen=True)
class Lost:
    """A sample that was not drawn, and why. `by_limit` distinguishes a limit from a failure."""

    reason: str
    by_limit: bool = False


Outcomes = tuple[Completion | Lost, ...]
"""The result of one call: an outcome for each seed."""


@dataclass(frozen=True)
class Drawing:
    """The results of the calls: of all, or of the first ones if those were enough."""

    outcomes: tuple[Outcomes, ...]
    usage: Usage
    """The usage of all calls. What was drawn and is not among the outcomes counts as canceled."""


Landed = Callable[[int, Outcomes], None]
Enough = Callable[[Sequence[Outcomes]], bool | Coroutine[Any, Any, bool]]


async def draw(
    client: Client,
    calls: Sequence[Call],
    limits: Limits,
    landed: Landed | None = None,
    *,
    enough: Enough | None = None,
    unneeded: asyncio.Event | None = None,
    seen: set[str] | None = None,
) -> Drawing:
    """Runs the calls at once until all have ended or a limit is reached. Never raises an `EgrmError`.

    `landed(i, outcomes)` is called as call i ends, in the caller's event loop. `enough` is called with the outcomes of
    the first call, the first two, and so on, as soon as these have ended. Once it returns True, the calls after them
    are canceled, and anything they already returned is dropped, so the outcomes do not depend on which call was faster.
    If its answer has to be awaited, the other calls run on meanwhile.
    Setting `unneeded` cancels everything that still runs. `seen` has the ids of responses that were drawn before for
    the same votes, and gets the new ones: a response that a cache sends again is lost.
    """
    if limits.reached:
        lost = [tuple(Lost(limits.reached, by_limit=True) for _ in call.seeds) for call in calls]
        return Drawing(tuple(lost), no_usage())
    seen = set() if seen is None else seen
    pending = _Pending(client, calls, limits, landed=landed, enough=enough, unneeded=unneeded, seen=seen)
    try:
        await pending.finish()
    finally:
        await pending.cancel()
    return pending.drawing()


class _Pending:
    """The calls in progress."""

    def __init__(
        self,
        client: Client,
        calls: Sequence[Call],
        limits: Limits,
        *,
        landed: Landed | None,
        enough: Enough | None,
        unneeded: asyncio.Event | None,
        seen: set[str],
    ) -> None:
        self._calls = calls
        self._limits = limits
        self._landed = landed
        self._enough = enough
        self._seen = seen
        self._checked = 0
        self._judging: asyncio.Future[bool] | None = None
        """The pending answer to whether the first `_checked` calls are enough."""
        self._used = len(calls)
        self._outcomes: dict[int, Outcomes] = {}
        self._usages: dict[int, Usage] = {}
        self._stop = unneeded or asyncio.Event()
        self._ended: list[asyncio.Future[Completions]] = []
        """Calls that ended and were not taken yet."""
        self._changed = asyncio.Event()
        """Set when there is something to take, or to stop for."""
        self._stopped_by: str | None = None
        # Counting tokens as they arrive needs a streamed response, so only calls that may be canceled do it.
        stoppable = limits != Limits() or enough is not None or unneeded is not None
        self._loop = asyncio.get_running_loop()
        # Only a budget has to be checked at every token: each check wakes this loop from the client's thread.
        on_change = self._counted if limits.tokens_left is not None else None
        self._meters = [Meter(on_change=on_change) if stoppable else None for _ in calls]
        self._tasks: dict[asyncio.Future[Completions], int] = {
            asyncio.ensure_future(_answered(client, call, self._meters[i])): i for i, call in enumerate(calls)
        }
        note, context = self._note, contextvars.copy_context()  # one copy for all of them
        for task in self._tasks:
            task.add_done_callback(note, context=context)

    def _counted(self) -> None:
        """Called on every token, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits for this anymore
            self._loop.call_soon_threadsafe(self._check_budget)

    def _check_budget(self) -> None:
        if self._limits.less(self._metered()).reached:
            self._stop.set()

    def _note(self, task: asyncio.Future[Completions]) -> None:
        self._ended.append(task)
        self._changed.set()

    def _wake(self, _: asyncio.Future[Any]) -> None:
        self._changed.set()

    async def finish(self) -> None:
        """Waits until all calls have ended, the first of them are enough, or a limit is reached."""
        stop = asyncio.ensure_future(self._stop.wait())
        stop.add_done_callback(self._wake)
        try:
            while len(self._outcomes) < len(self._tasks) or self._judging is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.seconds_left):
                        await self._changed.wait()
                self._changed.clear()
                ended, self._ended = sorted(self._ended, key=self._tasks.__getitem__), []
                for task in ended:
                    self._take(task)
                self._stopped_by = self._limits.less(self._metered()).reached
                if self._have_enough() or self._stopped_by or self._stop.is_set():
                    return
        finally:
            stop.cancel()

    def _have_enough(self) -> bool:
        while (answer := self._answer()) is not None:
            if answer:
                self._used = self._checked
                return True
        return False

    def _answer(self) -> bool | None:
        """Whether the next call makes the first ones enough; None if that is not known yet."""
        if self._judging is None:
            if self._enough is None or self._checked not in self._outcomes:
                return None
            self._checked += 1
            answer = self._enough([self._outcomes[i] for i in range(self._checked)])
            if not inspect.iscoroutine(answer):
                return bool(answer)
            self._judging = asyncio.ensure_future(answer)
            self._judging.add_done_callback(self._wake)
        if not self._judging.done():
            return None
        judged, self._judging = self._judging, None
        return judged.result()

    def _metered(self) -> int:
        """Tokens generated so far, by calls that ended and calls that run; 0 without limits."""
        return sum(meter.n_tokens for meter in self._meters if meter is not None)

    def _take(self, task: asyncio.Future[Completions]) -> None:
        i = self._tasks[task]
        try:
            result = task.result()
        except EgrmError as error:
            outcomes: Outcomes = tuple(Lost(str(error)) for _ in self._calls[i].seeds)
            self._usages[i] = {**no_usage(), "requests": 1}
        else:
            outcomes = tuple(self._outcome(completion) for completion in result.completions)
            self._usages[i] = result.usage
        self._outcomes[i] = outcomes
        if self._landed is not None:
            self._landed(i, outcomes)

    def _outcome(self, completion: Completion) -> Completion | Lost:
        if completion.finish_reason == "abort":
            return Lost(completion.error or "the server broke the sample off")
        if completion.response_id is not None:
            if completion.response_id in self._seen:
                return Lost(f"{REPEATED} ({completion.response_id})")
            self._seen.add(completion.response_id)
        return completion

    async def cancel(self) -> None:
        """Cancels what still runs, and waits until it has ended."""
        if self._judging is not None:
            self._judging.cancel()
            await asyncio.gather(self._judging, return_exceptions=True)
        running = [task for task in self._tasks if self._tasks[task] not in self._outcomes]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for meter in self._meters:
            if meter is not None:
                meter.on_change = None  # breaks a reference cycle, which only the garbage collector would free
        for task in running:
            i = self._tasks[task]
            meter = self._meters[i]
            n_tokens = meter.n_tokens if meter is not None else 0
            self._usages[i] = cancelled({**no_usage(), "requests": 1, "completion_tokens": n_tokens})
            reason = self._stopped_by or "cancelled"
            self._outcomes[i] = tuple(Lost(reason, by_limit=True) for _ in self._calls[i].seeds)

    def drawing(self) -> Drawing:
        left_out = range(self._used, len(self._calls))
        usages = [cancelled(usage) if i in left_out else usage for i, usage in self._usages.items()]
        return Drawing(tuple(self._outcomes[i] for i in range(self._used)), add_usage(*usages))


async def _answered(client: Client, call: Call, meter: Meter | None) -> Completions:
    if call.labels and client.gives_logprobs:
        with contextlib.suppress(Unsupported):
            found = await client.label_logprobs(call.prompt, call.labels, request_id=call.request_id)
            label = max(call.labels, key=found.logprobs.__getitem__)
            n_tokens, top = found.usage["completion_tokens"], (found.logprobs,)
            return Completions((Completion(label, "stop", n_tokens, top_logprobs=top),), found.usage)
    return await client.sample(call.prompt, call.sampling, seeds=call.seeds, request_id=call.request_id, meter=meter)


def cancelled(usage: Usage) -> Usage:
    """The usage, with its completion tokens counted as canceled."""
    return {**usage, "cancelled_tokens": usage["completion_tokens"]}
