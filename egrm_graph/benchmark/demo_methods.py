"""The methods that the demo compares: never reasoning, always reasoning, and reasoning only when needed.

All three use the same seeds, so a question has the same fast answers and paths in each, and differences are paired.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.findings import Findings
from egrm_graph.drawing.calls import Limits
from egrm_graph.graph import build_graph
from egrm_graph.parts import Parts
from egrm_graph.scoring.grading import grade, written
from egrm_graph.settings import RunSettings
from egrm_graph.strategies.draw_paths import draw_paths
from egrm_graph.strategies.strategy import Known
from egrm_graph.uncertainty.votes import tally
from egrm_graph.verification import Asked, Path, Uncertainty, Verification


@dataclass(frozen=True)
class Outcome:
    """The outcome of one method on one question."""

    right: bool
    completion_tokens: int
    escalated: bool
    status: str
    majority_right: bool | None = None
    """Whether the most frequent answer of the paths is right. None without paths."""
    best_right: bool | None = None
    """Whether any path is right, which is the best that a choice among them can achieve."""
    verification: Verification | None = None
    cancelled_tokens: int = 0


@dataclass(frozen=True)
class Method:
    """A named method of answering a question."""

    name: str
    answer: Callable[[BenchQuestion], Awaitable[Outcome]]


@dataclass(frozen=True)
class Trial:
    """The outcomes of one method on all questions, in order, and the time it took."""

    name: str
    questions: Sequence[BenchQuestion]
    outcomes: list[Outcome]
    seconds: float


def demo_methods(parts: Parts) -> list[Method]:
    """Never reasoning, always reasoning, and E-GRM, with the same models."""
    graph = build_graph(parts.settings, client=parts.client, scorer=parts.scorer, store=parts.store)
    untraced = parts.settings.model_copy(update={"trace_level": "off", "telemetry": "off"})
    ungated = build_graph(untraced, client=parts.client, scorer=parts.scorer)

    async def gated(question: BenchQuestion) -> Outcome:
        return outcome_of(parts, question, (await graph.ainvoke(question.input))["verification"])

    async def never(question: BenchQuestion) -> Outcome:
        # The graph still draws paths if it cannot read a single fast answer.
        context = RunSettings(measure="consensus", threshold=0.0)
        return outcome_of(parts, question, (await ungated.ainvoke(question.input, context=context))["verification"])

    async def always(question: BenchQuestion) -> Outcome:
        return await always_reason(parts, question)

    return [Method("never reason", never), Method("always reason", always), Method("E-GRM", gated)]


def outcome_of(parts: Parts, question: BenchQuestion, verification: Verification) -> Outcome:
    """The outcome of the graph on a question."""
    return Outcome(
        right=is_right(parts, question, verification["answer"]),
        completion_tokens=verification["usage"]["completion_tokens"],
        escalated=verification["route"] == "reasoned",
        status=verification["status"],
        verification=verification,
        cancelled_tokens=verification["usage"]["cancelled_tokens"],
    )


async def always_reason(parts: Parts, question: BenchQuestion) -> Outcome:
    """Draw paths and let the scorer choose, without fast answers first."""
    task = parts.task
    asked = Asked(**task.ask(question.input, parts.settings), run_id=uuid.uuid4().hex, started_at=time.time())
    settings = parts.settings
    known = Known(asked, task.views(asked, settings, settings.paths), task, parts.prompts, settings)
    drawn = await draw_paths(parts.client, parts.strategy(settings), known, Limits())
    texts = [task.graded(asked, view, written(path)) for path, view in drawn.paths]
    paths, reasons = await grade(parts.scorer, texts, [path for path, _ in drawn.paths], settings.score_timeout_s)
    decision = _decision(parts, asked, paths, lost=bool(reasons))
    return Outcome(
        right=is_right(parts, question, decision.answer),
        completion_tokens=drawn.usage["completion_tokens"],
        escalated=True,
        status=decision.status,
        majority_right=is_right(parts, question, tally([path["answer"] for path in paths], task.same).top),
        best_right=any(is_right(parts, question, path["answer"]) for path in paths),
    )


def _decision(parts: Parts, asked: Asked, paths: Sequence[Path], *, lost: bool) -> Decision:
    """The decision on these paths alone, without fast answers."""
    nothing = Uncertainty(
        measure="none", value=None, threshold=0.0, votes=[], samples=1, planned=1, orders_agree=None, contested=[]
    )
    return parts.task.decide(
        Findings(
            asked=asked,
            settings=parts.settings,
            route="reasoned",
            uncertainty=nothing,
            samples=[],
            readings=[],
            paths=paths,
            select=parts.selection_rule(parts.settings),
            has_scorer=parts.scorer is not None,
            scores_calibrated=parts.scorer is not None and parts.scorer.calibrated,
            lost=lost,
        )
    )


def is_right(parts: Parts, question: BenchQuestion, answer: str | None) -> bool:
    """Whether the answer is equivalent to the correct one."""
    return answer is not None and parts.task.same(answer, question.reference)


async def run_method(
    method: Method, questions: Sequence[BenchQuestion], concurrency: int, done: Callable[[], None]
) -> Trial:
    """Ask all questions, at most `concurrency` at once. Calls `done` after each."""
    slots = asyncio.Semaphore(concurrency)

    async def one(question: BenchQuestion) -> Outcome:
        async with slots:
            outcome = await method.answer(question)
        done()
        return outcome

    started = time.perf_counter()
    outcomes = await asyncio.gather(*map(one, questions))
    return Trial(method.name, questions, outcomes, time.perf_counter() - started)
