"""The benchmark's results: a line for each strategy and question, kept as they come, so that a killed run goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from egrm_graph.benchmark.demo_methods import Strategy
from egrm_graph.benchmark.held_out import Question
from egrm_graph.errors import ITEM_ERRORS, InputError
from egrm_graph.settings import Settings

RESULTS, SETUP = "results.jsonl", "setup.json"
VERSION = 1


@dataclass(frozen=True)
class Result:
    """What one strategy made of one question."""

    strategy: str
    id: str
    right: bool
    completion_tokens: int
    cancelled_tokens: int
    escalated: bool
    status: str
    seconds: float
    """From the question to its answer, beside as many others as were under way."""


@dataclass(frozen=True)
class Folder:
    """Where a benchmark's results are."""

    path: Path

    def start(self, setup: Mapping[str, Any], *, resume: bool, overwrite: bool) -> list[Result]:
        """What is there already of the same benchmark.

        Raises:
            InputError: there are results, and nobody said what to do with them; or they are of another benchmark.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        results, about = self.path / RESULTS, self.path / SETUP
        if results.exists() and not (resume or overwrite):
            raise InputError(f"{results} is there already; go on with it by --resume, or start anew by --overwrite")
        if not resume or not results.exists():
            results.write_text("", "utf-8")
            about.write_text(json.dumps(setup, indent=1, default=str) + "\n", "utf-8")
            return []
        before = json.loads(about.read_text("utf-8"))
        now = json.loads(json.dumps(dict(setup), default=str))
        if other := sorted(name for name in now if now[name] != before.get(name)):
            raise InputError(f"{self.path} holds results with other {', '.join(other)}; name another --output")
        kept = read_results(results)
        _write(results, kept)
        return kept


def setup_of(settings: Settings, questions: Sequence[Question]) -> dict[str, Any]:
    """What has to be the same for results to be of one benchmark."""
    asked = json.dumps([asdict(question) for question in questions])
    tracing = {name for name in type(settings).model_fields if name.startswith(("trace_", "telemetry"))}
    return {
        "version": VERSION,
        "package": version("egrm-graph"),
        "settings": settings.model_dump(mode="json", exclude={"api_key", "base_url", *tracing}),
        "questions": len(questions),
        "questions_sha256": hashlib.sha256(asked.encode()).hexdigest(),
    }


def read_results(file: Path) -> list[Result]:
    """The whole lines; one without its end was being written when the run was killed.

    Raises:
        InputError: a line is of another kind.
    """
    lines = file.read_text("utf-8").split("\n")[:-1]
    try:
        return [Result(**json.loads(line)) for line in lines]
    except (ValueError, TypeError) as error:
        raise InputError(f"{file} holds other things than results of this command: {error}") from error


def _write(file: Path, results: Sequence[Result]) -> None:
    beside = file.with_name(f"{file.name}.part")
    beside.write_text("".join(json.dumps(asdict(result)) + "\n" for result in results), "utf-8")
    beside.replace(file)


@dataclass(frozen=True)
class Run:
    """All results, those of earlier runs too, and why some questions have none."""

    results: list[Result]
    lost: dict[str, str]


@dataclass(frozen=True)
class Planned:
    """What there is to do, and what of it is done."""

    questions: Sequence[Question]
    folder: Folder
    done: Sequence[Result]
    concurrency: int
    """Questions under way at once, at most."""

    async def run(self, strategies: Sequence[Strategy], told: Callable[[str, int], None]) -> Run:
        """Asks what is not done yet, one strategy after the other.

        `told` gets a strategy's name and how many more of its questions are done.
        """
        run = Run(list(self.done), {})
        known = {(result.strategy, result.id) for result in self.done}
        with (self.folder.path / RESULTS).open("a", encoding="utf-8") as sink:
            for strategy in strategies:
                rest = [question for question in self.questions if (strategy.name, question.id) not in known]
                told(strategy.name, len(self.questions) - len(rest))
                async for result in _results(strategy, rest, self.concurrency, run.lost):
                    run.results.append(result)
                    sink.write(json.dumps(asdict(result)) + "\n")
                    sink.flush()
                    told(strategy.name, 1)
        return run


async def _results(
    strategy: Strategy, questions: Sequence[Question], concurrency: int, lost: dict[str, str]
) -> AsyncIterator[Result]:
    """What comes of the questions, as it comes. A question that cannot be asked is `lost`, and no other with it."""
    slots = asyncio.Semaphore(concurrency)

    async def one(question: Question) -> Result | None:
        async with slots:
            begun = time.perf_counter()
            try:
                outcome = await strategy.answer(question)
            except ITEM_ERRORS as error:
                lost[question.id] = str(error)
                return None
            return Result(
                strategy=strategy.name,
                id=question.id,
                right=outcome.right,
                completion_tokens=outcome.completion_tokens,
                cancelled_tokens=outcome.cancelled_tokens,
                escalated=outcome.escalated,
                status=outcome.status,
                seconds=time.perf_counter() - begun,
            )

    tasks = [asyncio.create_task(one(question)) for question in questions]
    try:
        for next_one in asyncio.as_completed(tasks):
            if (result := await next_one) is not None:
                yield result
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
