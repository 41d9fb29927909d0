"""Draws an agent's next model step several times at once, in tasks or in threads, within a deadline and a budget.

A candidate that fails is lost, with its reason, and the others count. Where a limit is reached, what still runs is
cancelled. A thread cannot be: a sync model call is let go of instead, and ends by itself while nobody waits for it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain.agents.middleware.types import ModelResponse
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.runnables.config import ensure_config, var_child_runnable_config
from langgraph.errors import GraphBubbleUp

from egrm_graph.clients.chat_model import NOSTREAM
from egrm_graph.clients.message_metadata import response_id, usage_of
from egrm_graph.drawing.calls import REPEATED, Limits, Lost
from egrm_graph.drawing.samples import lost_reasons
from egrm_graph.errors import DeadlineReached, RunError
from egrm_graph.reasons import ReasonCode, texts

Response: TypeAlias = ModelResponse[Any]


@dataclass(frozen=True)
class Step:
    """One candidate: what the model call gave, and the AI message in it."""

    response: Response
    message: AIMessage


@dataclass(frozen=True)
class Drawn:
    """What came of the calls, in the order in which they were made: one step at the least."""

    steps: Sequence[Step]
    reasons: Sequence[str]
    """Why candidates were lost."""
    unjudged: str | None
    """Why no judge can be asked: the limit that was reached."""
    left: Limits
    """What is left for the judge."""
    usage: UsageMetadata | None
    """That of all steps together; None where none of them tells its own."""


@dataclass(frozen=True)
class _Failed:
    error: Exception


_Ended: TypeAlias = Step | _Failed
_Call: TypeAlias = asyncio.Future[_Ended] | concurrent.futures.Future[_Ended]


def draw_steps(call: Callable[[], Response], n: int, limits: Limits) -> Drawn:
    """`n` steps by a sync model call, each in a thread.

    Raises:
        Exception: none gave a step; the first error.
        DeadlineReached: none gave a step in time.
    """

    def one() -> _Ended:
        try:
            response = call()
            return Step(response, message_of(response))
        except GraphBubbleUp:
            raise
        except Exception as error:
            return _Failed(error)

    pool = concurrent.futures.ThreadPoolExecutor(n, thread_name_prefix="egrm-candidate")
    calls = [pool.submit(silent_context().run, one) for _ in range(n)]
    running = set(calls)
    try:
        while running and not _left(calls, limits).reached:
            running = concurrent.futures.wait(
                running, timeout=limits.seconds_left, return_when=concurrent.futures.FIRST_COMPLETED
            ).not_done
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return _drawn(calls, limits)


async def adraw_steps(call: Callable[[], Awaitable[Response]], n: int, limits: Limits) -> Drawn:
    """`n` steps by an async model call, each in a task; none is left running when this returns or is cancelled.

    Raises:
        Exception: none gave a step; the first error.
        DeadlineReached: none gave a step in time.
    """

    async def one() -> _Ended:
        try:
            response = await call()
            return Step(response, message_of(response))
        except GraphBubbleUp:
            raise
        except Exception as error:
            return _Failed(error)

    calls = [asyncio.create_task(one(), context=silent_context()) for _ in range(n)]
    running = set(calls)
    try:
        while running and not _left(calls, limits).reached:
            _, running = await asyncio.wait(running, timeout=limits.seconds_left, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    return _drawn(calls, limits)


def silent_context() -> contextvars.Context:
    """A copy of the caller's context in which no model call is part of the token stream of the graph around it."""
    context = contextvars.copy_context()
    config = ensure_config()
    config["tags"] = [*(config.get("tags") or []), NOSTREAM]
    context.run(var_child_runnable_config.set, config)
    return context


def message_of(response: Response) -> AIMessage:
    """The AI message of a response.

    Raises:
        RunError: it has none.
    """
    for message in response.result:
        if isinstance(message, AIMessage):
            return message
    raise RunError("the model call gave no AI message")


def _ended(calls: Iterable[_Call]) -> list[_Ended]:
    return [call.result() for call in calls if call.done() and not call.cancelled()]


def _left(calls: Iterable[_Call], limits: Limits) -> Limits:
    usages = [usage_of(each.message) for each in _ended(calls) if isinstance(each, Step)]
    return limits.less(sum(usage["output_tokens"] for usage in usages if usage))


def _drawn(calls: Sequence[_Call], limits: Limits) -> Drawn:
    ended, left = _ended(calls), _left(calls, limits)
    limit = left.reached
    given = [each for each in ended if isinstance(each, Step)]
    errors = [each.error for each in ended if isinstance(each, _Failed)]
    if not given:
        raise errors[0] if errors else DeadlineReached("no candidate step was drawn before the deadline (deadline_s)")
    steps, repeated = _told_apart(given)
    cut = [Lost(limit or "cancelled", by_limit=True)] * (len(calls) - len(ended))
    lost = [*(Lost(f"{type(error).__name__}: {error}") for error in errors), *repeated, *cut]
    usage: UsageMetadata | None = None
    for step in given:
        if (told := usage_of(step.message)) is not None:
            usage = add_usage(usage, told)
    return Drawn(steps, texts(lost_reasons(ReasonCode.CANDIDATES_LOST, [*lost, *steps])), limit, left, usage)


def _told_apart(steps: Sequence[Step]) -> tuple[list[Step], list[Lost]]:
    """The steps without those whose response is an earlier one's, sent again by a cache."""
    first: dict[str, Step] = {}
    kept, lost = list[Step](), list[Lost]()
    for step in steps:
        name = response_id(step.message)
        if name is not None and first.setdefault(name, step) is not step:
            lost.append(Lost(f"{REPEATED} ({name})"))
        else:
            kept.append(step)
    return kept, lost
