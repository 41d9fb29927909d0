"""The results of a benchmark: a line for each method and question, saved at once, so a killed run can resume."""

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

from egrm_graph.benchmark.demo_methods import Method
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.errors import ITEM_ERRORS, InputError
from egrm_graph.settings import Settings

RESULTS, SETUP = "results.jsonl", "setup.json"
VERSION = 3


@dataclass(frozen=True)
class MethodResult:
    """The result of one method on one question."""

    method: str
    id: str
    right: bool
    completion_tokens: int
    cancelled_tokens: int
    escalated: bool
    status: str
    seconds: float | None
    """From the question to its answer, with other questions in progress at the same time. None if not measured."""
    fast_answers: int
    """Fast answers that the model completed."""
    unreadable_fast: int
    """Those of them without an answer."""
    paths: int
    """Paths that the model completed."""
    unreadable_paths: int
    """Those of them without an answer."""
    rewardbench: float | None = None
    """How right the verdict on a pair is by RewardBench's parser. None for anything else, and in earlier results."""


@dataclass(frozen=True)
class BenchFolder:
    """The folder with the results of a benchmark."""

    path: Path

    def start(self, setup: Mapping[str, Any], *, resume: bool, overwrite: bool) -> list[MethodResult]:
        """Prepare the folder, and return the results that an earlier run of the same benchmark left.

        Raises:
            InputError: the folder has results, and neither option is set, or they belong to another benchmark.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        results, about = self.path / RESULTS, self.path / SETUP
        if results.exists() and not (resume or overwrite):
            raise InputError(f"{results} exists; continue it with --resume, or start over with --overwrite")
        if not resume or not results.exists():
            results.write_text("", "utf-8")
            about.write_text(json.dumps(setup, indent=1, default=str) + "\n", "utf-8")
            return []
        before = json.loads(about.read_text("utf-8"))
        now = json.loads(json.dumps(dict(setup), default=str))
        if other := sorted(name for name in now if now[name] != before.get(name)):
            raise InputError(f"the results in {self.path} have other {', '.join(other)}; name another --output")
        earlier = read_results(results)
        _write(results, earlier)
        return earlier


def setup_of(settings: Settings, questions: Sequence[BenchQuestion], *, timed: bool = True) -> dict[str, Any]:
    """What must be the same for results to belong to one benchmark."""
    serialized = json.dumps([asdict(question) for question in questions])
    tracing = {name for name in type(settings).model_fields if name.startswith(("trace_", "telemetry"))}
    return {
        "version": VERSION,
        "package": version("egrm-graph"),
        "settings": settings.model_dump(mode="json", exclude={"api_key", "base_url", *tracing}),
        "timed": timed,
        "questions": len(questions),
        "questions_sha256": hashlib.sha256(serialized.encode()).hexdigest(),
    }


def read_results(file: Path) -> list[MethodResult]:
    """Read the complete lines. The last one is incomplete if the run was killed while writing it.

    Raises:
        InputError: a line is not a result.
    """
    lines = file.read_text("utf-8").split("\n")[:-1]
    try:
        return [MethodResult(**json.loads(line)) for line in lines]
    except (ValueError, TypeError) as error:
        raise InputError(f"{file} has lines that are not results of this command: {error}") from error


def _write(file: Path, results: Sequence[MethodResult]) -> None:
    partial = file.with_name(f"{file.name}.part")
    partial.write_text("".join(json.dumps(asdict(result)) + "\n" for result in results), "utf-8")
    partial.replace(file)


@dataclass(frozen=True)
class BenchRun:
    """All results, including those of earlier runs, and why some questions have none."""

    results: list[MethodResult]
    lost: dict[str, str]


@dataclass(frozen=True)
class BenchPlan:
    """The questions of a benchmark, and the results that exist already."""

    questions: Sequence[BenchQuestion]
    folder: BenchFolder
    done: Sequence[MethodResult]
    concurrency: int
    """Questions in progress at once, at most."""
    timed: bool = True
    """Whether to measure time, which means nothing for saved draws."""

    async def run(self, methods: Sequence[Method], advance: Callable[[str, int], None]) -> BenchRun:
        """Ask the questions that have no result yet, one method after the other.

        Calls `advance` with the name of a method and the number of questions that are newly done.
        """
        run = BenchRun(list(self.done), {})
        done = {(result.method, result.id) for result in self.done}
        with (self.folder.path / RESULTS).open("a", encoding="utf-8") as sink:
            for method in methods:
                remaining = [question for question in self.questions if (method.name, question.id) not in done]
                advance(method.name, len(self.questions) - len(remaining))
                async for result in self._results(method, remaining, run.lost):
                    run.results.append(result)
                    sink.write(json.dumps(asdict(result)) + "\n")
                    sink.flush()
                    advance(method.name, 1)
        return run

    async def _results(
        self, method: Method, questions: Sequence[BenchQuestion], lost: dict[str, str]
    ) -> AsyncIterator[MethodResult]:
        """Yield the results as they arrive. A question that cannot be asked goes to `lost`, and the others continue."""
        slots = asyncio.Semaphore(self.concurrency)

        async def one(question: BenchQuestion) -> MethodResult | None:
            async with slots:
                started = time.perf_counter()
                try:
                    outcome = await method.answer(question)
                except ITEM_ERRORS as error:
                    lost[question.id] = str(error)
                    return None
                return MethodResult(
                    method=method.name,
                    id=question.id,
                    right=outcome.right,
                    completion_tokens=outcome.completion_tokens,
                    cancelled_tokens=outcome.cancelled_tokens,
                    escalated=outcome.escalated,
                    status=outcome.status,
                    seconds=time.perf_counter() - started if self.timed else None,
                    fast_answers=outcome.fast_answers.n,
                    unreadable_fast=outcome.fast_answers.unreadable,
                    paths=outcome.paths.n,
                    unreadable_paths=outcome.paths.unreadable,
                    rewardbench=outcome.rewardbench,
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
