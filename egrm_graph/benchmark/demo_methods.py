"""What the demo compares: never reasoning, always reasoning, and reasoning where it is needed.

All three draw with the same seeds, so that a question's fast answers and paths are the same in each of them, and
differences between them are paired.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from egrm_graph.benchmark.held_out import Question
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
    """What one strategy made of one question."""

    right: bool
    completion_tokens: int
    escalated: bool
    status: str
    majority_right: bool | None = None
    """Whether the most frequent answer of the paths is right; None where there are no paths."""
    best_right: bool | None = None
    """Whether any path is right: the most that a choice among them could reach."""
    verification: Verification | None = None
    cancelled_tokens: int = 0


@dataclass(frozen=True)
class Strategy:
    """A named way to answer a question."""

    name: str
    answer: Callable[[Question], Awaitable[Outcome]]


@dataclass(frozen=True)
class Trial:
    """One strategy's outcomes for all questions, in their order, and how long it took."""

    name: str
    questions: Sequence[Question]
    outcomes: list[Outcome]
    seconds: float


def strategies(parts: Parts) -> list[Strategy]:
    """Never, always and E-GRM, on the same models."""
    graph = build_graph(parts.settings, client=parts.client, scorer=parts.scorer, store=parts.store)
    untraced = parts.settings.model_copy(update={"trace_level": "off", "telemetry": "off"})
    ungated = build_graph(untraced, client=parts.client, scorer=parts.scorer)

    async def gated(question: Question) -> Outcome:
        told: Verification = (await graph.ainvoke(question.given))["verification"]
        return outcome_of(parts, question, told)

    async def never(question: Question) -> Outcome:
        # One path at most: it is drawn only where not a single fast answer could be read.
        context = RunSettings(measure="consensus", threshold=0.0)
        told: Verification = (await ungated.ainvoke(question.given, context=context))["verification"]
        return outcome_of(parts, question, told)

    async def always(question: Question) -> Outcome:
        return await always_reason(parts, question)

    return [Strategy("never reason", never), Strategy("always reason", always), Strategy("E-GRM", gated)]


def outcome_of(parts: Parts, question: Question, told: Verification) -> Outcome:
    """What the graph made of a question."""
    return Outcome(
        right=is_right(parts, question, told["answer"]),
        completion_tokens=told["usage"]["completion_tokens"],
        escalated=told["route"] == "reasoned",
        status=told["status"],
        verification=told,
        cancelled_tokens=told["usage"]["cancelled_tokens"],
    )


async def always_reason(parts: Parts, question: Question) -> Outcome:
    """Paths and scorer, without fast answers before them."""
    task = parts.task
    asked = Asked(**task.ask(question.given, parts.settings), run_id=uuid.uuid4().hex, started_at=time.time())
    settings = parts.settings
    known = Known(asked, task.views(asked, settings, settings.paths), task, parts.prompts, settings)
    drawn = await draw_paths(parts.client, parts.strategy(settings), known, Limits())
    views = [drawn.views[index] for index in drawn.view_of]
    texts = [task.graded(asked, view, written(path)) for view, path in zip(views, drawn.paths, strict=True)]
    paths, reasons = await grade(parts.scorer, texts, drawn.paths, settings.score_timeout_s)
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


def is_right(parts: Parts, question: Question, answer: str | None) -> bool:
    """Whether the answer is equivalent to the right one."""
    return answer is not None and parts.task.same(answer, question.reference)


async def run(strategy: Strategy, questions: Sequence[Question], concurrency: int, done: Callable[[], None]) -> Trial:
    """Asks all questions, at most `concurrency` at once; `done` is called after each."""
    slots = asyncio.Semaphore(concurrency)

    async def one(question: Question) -> Outcome:
        async with slots:
            outcome = await strategy.answer(question)
        done()
        return outcome

    started = time.perf_counter()
    outcomes = await asyncio.gather(*map(one, questions))
    return Trial(strategy.name, questions, outcomes, time.perf_counter() - started)
