import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from egrm_graph.cli.answering import AHEAD, Answering, Check, LineResult, answer_lines
from egrm_graph.cli.json_lines import Line
from egrm_graph.clients.client import no_usage
from egrm_graph.errors import InputError, ServerError
from egrm_graph.verification import Sample, Uncertainty, Verification

Ask = Callable[[dict[str, Any]], Awaitable[Verification]]


def verification(answer: str | None = "2", *, lost: bool = False) -> Verification:
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
    uncertainty: Uncertainty = {
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
        "uncertainty": uncertainty,
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


async def no_problem() -> None:
    pass


def answering(ask: Ask, check: Check = no_problem) -> Answering[Verification]:
    async def answer(line: Line) -> Verification:
        return await ask(line.inputs)

    return Answering(answer, lambda answer: answer["status"] == "abstained", check)


async def run(count: int, ask: Ask, *, concurrency: int = 4) -> list[LineResult[Verification]]:
    written: list[LineResult[Verification]] = []
    await answer_lines(lines(count), answering(ask), written.append, concurrency=concurrency)
    return written


async def test_results_are_written_in_the_order_of_the_lines() -> None:
    async def slow_first(inputs: dict[str, Any]) -> Verification:
        await asyncio.sleep(0.05 if inputs["question"] == "0" else 0)
        return verification(inputs["question"])

    found = await run(20, slow_first)
    assert [result.answer and result.answer["answer"] for result in found] == [str(i) for i in range(20)]


async def test_a_result_is_written_before_the_next_lines_arrive() -> None:
    first = asyncio.Event()

    async def source() -> AsyncIterator[Line]:
        yield Line(1, 1, {"question": "1"})
        await first.wait()
        yield Line(2, 2, {"question": "2"})

    async def ask(_inputs: dict[str, Any]) -> Verification:
        return verification()

    async with asyncio.timeout(5):
        await answer_lines(source(), answering(ask), lambda _: first.set(), concurrency=1)


async def test_at_most_the_concurrency_is_asked_at_once() -> None:
    running = most = 0

    async def ask(_inputs: dict[str, Any]) -> Verification:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return verification()

    await run(30, ask, concurrency=3)
    assert most == 3


async def test_the_results_that_wait_for_a_slow_line_are_bounded() -> None:
    questions: list[str] = []

    async def ask(inputs: dict[str, Any]) -> Verification:
        questions.append(inputs["question"])
        if inputs["question"] == "0":
            await asyncio.Event().wait()
        return verification()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await run(10_000, ask, concurrency=2)
    assert len(questions) <= 2 * AHEAD + 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [(InputError("not a sum"), "not a sum"), (ValueError("oh"), "ValueError: oh")],
)
async def test_a_line_that_fails_does_not_affect_the_others(error: Exception, reason: str) -> None:
    async def ask(inputs: dict[str, Any]) -> Verification:
        if inputs["question"] == "1":
            raise error
        return verification()

    assert [result.error for result in await run(3, ask)] == [None, reason, None]


async def test_a_bad_line_is_not_asked_and_its_error_is_in_order() -> None:
    async def source() -> AsyncIterator[Line]:
        yield Line(1, 1, {"question": "1"})
        yield Line(2, 2, {}, "not JSON")

    async def ask(inputs: dict[str, Any]) -> Verification:
        assert inputs
        return verification()

    written: list[LineResult[Verification]] = []
    await answer_lines(source(), answering(ask), written.append, concurrency=1)
    assert [result.error for result in written] == [None, "not JSON"]


async def test_a_missing_server_ends_the_run() -> None:
    async def no_server() -> None:
        raise ServerError("no server answers")

    async def ask(inputs: dict[str, Any]) -> Verification:
        return verification() if inputs["question"] == "0" else verification(None, lost=True)

    written: list[LineResult[Verification]] = []
    with pytest.raises(ServerError, match="no server answers"):
        await answer_lines(lines(1000), answering(ask, no_server), written.append, concurrency=1)
    assert [result.line.number for result in written] == [0]


async def test_an_abstention_is_a_result_if_the_server_works() -> None:
    async def ask(_inputs: dict[str, Any]) -> Verification:
        return verification(None, lost=True)

    assert len(await run(3, ask)) == 3


async def test_a_result_that_cannot_be_written_ends_the_run() -> None:
    async def ask(_inputs: dict[str, Any]) -> Verification:
        return verification()

    def write(_result: LineResult[Verification]) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await answer_lines(lines(1000), answering(ask), write, concurrency=2)
