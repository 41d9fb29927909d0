import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from egrm_graph.cli.answering import AHEAD, Asking, Check, Result, answer_lines
from egrm_graph.cli.json_lines import Line
from egrm_graph.clients.client import no_usage
from egrm_graph.errors import InputError, ServerError
from egrm_graph.verification import Sample, Uncertainty, Verification

Ask = Callable[[dict[str, Any]], Awaitable[Verification]]


def told(answer: str | None = "2", *, lost: bool = False) -> Verification:
    error = "no server" if lost else None
    sample: Sample = {
        "text": answer,
        "thinking": None,
        "answer": answer,
        "n_tokens": 1,
        "finish_reason": "stop",
        "seed": 0,
        "request_id": "r",
        "order": [],
        "logprobs": None,
        "top_logprobs": None,
        "error": error,
    }
    seen: Uncertainty = {
        "measure": "consensus",
        "value": 1.0,
        "threshold": 0.8,
        "votes": [],
        "samples": 1,
        "planned": 1,
        "orders_agree": None,
        "contested": [],
    }
    return {
        "run_id": "r",
        "status": "ok" if answer else "abstained",
        "route": "direct",
        "answer": answer,
        "best_guess": None,
        "correct": None,
        "winner": None,
        "best_path": None,
        "rewards": None,
        "unrewarded": None,
        "tie": None,
        "confidence": 1.0,
        "calibrated": None,
        "uncertainty": seen,
        "samples": [sample],
        "readings": [],
        "paths": [],
        "reasons": [],
        "usage": no_usage(),
        "timing_ms": {},
    }


async def lines(count: int) -> AsyncIterator[Line]:
    for number in range(count):
        yield Line(number, number, {"question": str(number)})


async def well() -> None:
    pass


def asking(ask: Ask, check: Check = well) -> Asking[Verification]:
    async def asked(line: Line) -> Verification:
        return await ask(line.asked)

    return Asking(asked, lambda verification: verification["status"] == "abstained", check)


async def run(count: int, ask: Ask, *, concurrency: int = 4) -> list[Result[Verification]]:
    written: list[Result[Verification]] = []
    await answer_lines(lines(count), asking(ask), written.append, concurrency=concurrency)
    return written


async def test_results_are_written_in_the_order_of_the_lines() -> None:
    async def slow_first(asked: dict[str, Any]) -> Verification:
        await asyncio.sleep(0.05 if asked["question"] == "0" else 0)
        return told(asked["question"])

    found = await run(20, slow_first)
    assert [result.answer and result.answer["answer"] for result in found] == [str(i) for i in range(20)]


async def test_a_result_is_written_before_the_lines_after_it_have_come() -> None:
    first = asyncio.Event()

    async def source() -> AsyncIterator[Line]:
        yield Line(1, 1, {"question": "1"})
        await first.wait()
        yield Line(2, 2, {"question": "2"})

    async def ask(_asked: dict[str, Any]) -> Verification:
        return told()

    async with asyncio.timeout(5):
        await answer_lines(source(), asking(ask), lambda _: first.set(), concurrency=1)


async def test_no_more_than_the_concurrency_are_asked_at_once() -> None:
    running = most = 0

    async def ask(_asked: dict[str, Any]) -> Verification:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return told()

    await run(30, ask, concurrency=3)
    assert most == 3


async def test_a_slow_line_bounds_how_many_results_wait_for_it() -> None:
    asked_for: list[str] = []

    async def ask(asked: dict[str, Any]) -> Verification:
        asked_for.append(asked["question"])
        if asked["question"] == "0":
            await asyncio.Event().wait()
        return told()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await run(10_000, ask, concurrency=2)
    assert len(asked_for) <= 2 * AHEAD + 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [(InputError("not a sum"), "not a sum"), (ValueError("oh"), "ValueError: oh")],
)
async def test_a_line_that_fails_costs_no_other_line_its_answer(error: Exception, reason: str) -> None:
    async def ask(asked: dict[str, Any]) -> Verification:
        if asked["question"] == "1":
            raise error
        return told()

    assert [result.error for result in await run(3, ask)] == [None, reason, None]


async def test_a_bad_line_is_not_asked_and_has_its_place() -> None:
    async def source() -> AsyncIterator[Line]:
        yield Line(1, 1, {"question": "1"})
        yield Line(2, 2, {}, "not JSON")

    async def ask(asked: dict[str, Any]) -> Verification:
        assert asked
        return told()

    written: list[Result[Verification]] = []
    await answer_lines(source(), asking(ask), written.append, concurrency=1)
    assert [result.error for result in written] == [None, "not JSON"]


async def test_a_server_that_is_gone_ends_the_run() -> None:
    async def gone() -> None:
        raise ServerError("no server answers")

    async def ask(asked: dict[str, Any]) -> Verification:
        return told() if asked["question"] == "0" else told(None, lost=True)

    written: list[Result[Verification]] = []
    with pytest.raises(ServerError, match="no server answers"):
        await answer_lines(lines(1000), asking(ask, gone), written.append, concurrency=1)
    assert [result.line.number for result in written] == [0]


async def test_an_abstention_is_a_result_where_the_server_is_there() -> None:
    async def ask(_asked: dict[str, Any]) -> Verification:
        return told(None, lost=True)

    assert len(await run(3, ask)) == 3


async def test_a_result_that_cannot_be_written_ends_the_run() -> None:
    async def ask(_asked: dict[str, Any]) -> Verification:
        return told()

    def write(_result: Result[Verification]) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await answer_lines(lines(1000), asking(ask), write, concurrency=2)
