"""Draw an agent's next model step several times concurrently, in tasks or threads, within a deadline and a budget.

A candidate that fails is lost, its reason is recorded, and the others count. When a limit is reached, calls that still
run are cancelled. A thread cannot be cancelled, so a sync model call is abandoned and ends in the background.
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
class CandidateStep:
    """One candidate: the response of the model call, and its AI message."""

    response: Response
    message: AIMessage


@dataclass(frozen=True)
class DrawnSteps:
    """The results of the calls, in the order of the calls; at least one step."""

    steps: Sequence[CandidateStep]
    reasons: Sequence[str]
    """Why candidates were lost."""
    unjudged: str | None
    """The limit that was reached, so the judge cannot be asked."""
    left: Limits
    """The limits that remain for the judge."""
    usage: UsageMetadata | None
    """The total usage of all steps. None if no step reports its usage."""


@dataclass(frozen=True)
class _Failed:
    error: Exception


_Outcome: TypeAlias = CandidateStep | _Failed
_Call: TypeAlias = asyncio.Future[_Outcome] | concurrent.futures.Future[_Outcome]


def draw_steps(call: Callable[[], Response], n: int, limits: Limits) -> DrawnSteps:
    """Draw `n` steps with a sync model call, each in its own thread.

    Raises:
        Exception: all calls failed. This is the first error.
        DeadlineReached: no call returned a step in time.
    """

    def one() -> _Outcome:
        try:
            response = call()
            return CandidateStep(response, message_of(response))
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


async def adraw_steps(call: Callable[[], Awaitable[Response]], n: int, limits: Limits) -> DrawnSteps:
    """Draw `n` steps with an async model call, each in its own task. No task outlives this call.

    Raises:
        Exception: all calls failed. This is the first error.
        DeadlineReached: no call returned a step in time.
    """

    async def one() -> _Outcome:
        try:
            response = await call()
            return CandidateStep(response, message_of(response))
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
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    return _drawn(calls, limits)


def silent_context() -> contextvars.Context:
    """Return a copy of the caller's context whose model calls are not part of the surrounding graph's token stream."""
    context = contextvars.copy_context()
    config = ensure_config()
    config["tags"] = [*(config.get("tags") or []), NOSTREAM]
    context.run(var_child_runnable_config.set, config)
    return context


def message_of(response: Response) -> AIMessage:
    """Return the AI message of a response.

    Raises:
        RunError: it has no AI message.
    """
    for message in response.result:
        if isinstance(message, AIMessage):
            return message
    raise RunError("the model call returned no AI message")


def _outcomes(calls: Iterable[_Call]) -> list[_Outcome]:
    return [call.result() for call in calls if call.done() and not call.cancelled()]


def _left(calls: Iterable[_Call], limits: Limits) -> Limits:
    usages = [usage_of(outcome.message) for outcome in _outcomes(calls) if isinstance(outcome, CandidateStep)]
    return limits.less(sum(usage["output_tokens"] for usage in usages if usage))


def _drawn(calls: Sequence[_Call], limits: Limits) -> DrawnSteps:
    outcomes, left = _outcomes(calls), _left(calls, limits)
    limit = left.reached
    returned = [outcome for outcome in outcomes if isinstance(outcome, CandidateStep)]
    errors = [outcome.error for outcome in outcomes if isinstance(outcome, _Failed)]
    if not returned:
        raise errors[0] if errors else DeadlineReached("no candidate step was drawn before the deadline (deadline_s)")
    steps, repeated = _without_repeats(returned)
    cut = [Lost(limit or "cancelled", by_limit=True)] * (len(calls) - len(outcomes))
    lost = [*(Lost(f"{type(error).__name__}: {error}") for error in errors), *repeated, *cut]
    usage: UsageMetadata | None = None
    for step in returned:
        if (reported := usage_of(step.message)) is not None:
            usage = add_usage(usage, reported)
    return DrawnSteps(steps, texts(lost_reasons(ReasonCode.CANDIDATES_LOST, [*lost, *steps])), limit, left, usage)


def _without_repeats(steps: Sequence[CandidateStep]) -> tuple[list[CandidateStep], list[Lost]]:
    """Drop the steps whose response repeats an earlier one, as a cache would send it."""
    first: dict[str, CandidateStep] = {}
    unique, lost = list[CandidateStep](), list[Lost]()
    for step in steps:
        identifier = response_id(step.message)
        if identifier is not None and first.setdefault(identifier, step) is not step:
            lost.append(Lost(f"{REPEATED} ({identifier})"))
        else:
            unique.append(step)
    return unique, lost
