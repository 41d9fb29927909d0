"""The methods that the demo compares: never reasoning, always reasoning, and reasoning only when needed.

All three use the same seeds, so a question has the same fast answers and paths in each, and differences are paired.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, cast

from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.client import no_usage
from egrm_graph.context import Run
from egrm_graph.deciding.findings import Findings
from egrm_graph.deciding.verdict_parsers import rewardbench_score
from egrm_graph.graph import build_graph
from egrm_graph.nodes.expand_cot import expand_cot
from egrm_graph.nodes.score_paths import score_paths, sufficiency
from egrm_graph.parts import Parts
from egrm_graph.reasons import loses, texts
from egrm_graph.settings import RunSettings
from egrm_graph.state import Drawn, Expanded, Gated, Scored, Stage, State
from egrm_graph.uncertainty.votes import tally
from egrm_graph.verification import Asked, Sample, Uncertainty, Verification


class Texts(NamedTuple):
    """How many texts of one kind a model completed. Lost ones do not count."""

    n: int = 0
    unreadable: int = 0
    """How many have no answer, such as those that were cut."""

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Texts:
        """The texts of these fast answers or paths."""
        complete = [sample for sample in samples if sample["error"] is None]
        return cls(len(complete), sum(sample["answer"] is None for sample in complete))


NO_TEXTS = Texts()


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
    fast_answers: Texts = NO_TEXTS
    paths: Texts = NO_TEXTS
    reasons: Sequence[str] = ()
    """Why the status is not `ok`."""
    rewardbench: float | None = None
    """How right the verdict on a pair is by RewardBench's parser. None for anything else."""


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
    build = partial(build_graph, client=parts.client, scorer=parts.scorer, tree_scorer=parts.tree_scorer)
    graph = build(parts.settings, store=parts.store)
    untraced = parts.settings.model_copy(update={"trace_level": "off", "telemetry": "off"})
    ungated = build(untraced)
    all_paths = replace(parts, settings=parts.settings.overridden({"path_stopping": "all"}))

    async def gated(question: BenchQuestion) -> Outcome:
        return outcome_of(parts, question, (await graph.ainvoke(question.input))["verification"])

    async def never(question: BenchQuestion) -> Outcome:
        # The graph still draws paths if it cannot read a single fast answer.
        context = RunSettings(measure="consensus", threshold=0.0)
        return outcome_of(parts, question, (await ungated.ainvoke(question.input, context=context))["verification"])

    async def always(question: BenchQuestion) -> Outcome:
        return await always_reason(all_paths, question)

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
        fast_answers=Texts.of(verification["samples"]),
        paths=Texts.of(verification["paths"]),
        reasons=verification["reasons"],
        rewardbench=rewardbench_of(question, verification["answer"]),
    )


class Reasoned(NamedTuple):
    """What a graph without a gate and fast answers comes to."""

    state: State
    expanded: Expanded
    scored: Scored


async def reasoned(parts: Parts, question: BenchQuestion) -> Reasoned:
    """Draw and score paths, as the graph does, without fast answers first. `path_stopping` applies."""
    run = Run(parts, parts.settings, lambda _: None, parts.client)
    state = _before_paths(parts, question)
    while True:
        expanded = state["expanded"] = (await expand_cot(state, run))["expanded"]
        scored = state["scored"] = (await score_paths(state, run))["scored"]
        if sufficiency(state) == "enough":
            return Reasoned(state, expanded, scored)


async def always_reason(parts: Parts, question: BenchQuestion) -> Outcome:
    """Draw paths and let the scorer choose, as the graph does, without fast answers first. `path_stopping` applies."""
    return decided(parts, question, await reasoned(parts, question))


def decided(parts: Parts, question: BenchQuestion, found: Reasoned) -> Outcome:
    """The outcome of these paths alone."""
    state, expanded, scored = found
    paths, reasons = scored["paths"], [*expanded["reasons"], *scored["reasons"]]
    decision = parts.task.decide(
        Findings(
            asked=state["asked"],
            settings=parts.settings,
            route="reasoned",
            uncertainty=state["gated"]["uncertainty"],
            samples=[],
            readings=[],
            paths=paths,
            select=parts.selection_rule(parts.settings),
            has_scorer=parts.path_scorer(parts.settings) is not None,
            scores_calibrated=parts.scores_calibrated(parts.settings),
            lost=any(map(loses, reasons)),
        )
    )
    return Outcome(
        right=is_right(parts, question, decision.answer),
        completion_tokens=expanded["usage"]["completion_tokens"],
        escalated=True,
        status=decision.status,
        majority_right=is_right(parts, question, tally([path["answer"] for path in paths], parts.task.same).top),
        best_right=any(is_right(parts, question, path["answer"]) for path in paths),
        cancelled_tokens=expanded["usage"]["cancelled_tokens"],
        paths=Texts.of(paths),
        reasons=texts(reasons),
        rewardbench=rewardbench_of(question, decision.answer),
    )


def _before_paths(parts: Parts, question: BenchQuestion) -> State:
    """The state of a run that reasons and has no fast answers."""
    asked = Asked(**parts.task.ask(question.input, parts.settings), run_id=uuid.uuid4().hex, started_at=time.time())
    uncertainty = Uncertainty(
        measure="none", value=None, threshold=0.0, votes=[], samples=1, planned=1, orders_agree=None, contested=[]
    )
    stage = Stage(usage=no_usage(), ms=0.0, reasons=[])
    drawn = Drawn(**stage, views=[], samples=[], readings=[], planned=0, ahead=None)
    gated = Gated(**stage, uncertainty=uncertainty, route="reasoned", classes=[], margin=None)
    return cast(State, {**question.input, "asked": asked, "drawn": drawn, "gated": gated})


def is_right(parts: Parts, question: BenchQuestion, answer: str | None) -> bool:
    """Whether the answer is equivalent to the correct one."""
    return answer is not None and parts.task.same(answer, question.reference)


def rewardbench_of(question: BenchQuestion, answer: str | None) -> float | None:
    """How right the verdict is by RewardBench's parser; None if the question is not a pair."""
    return rewardbench_score(answer, question.reference) if len(question.candidates) == 2 else None


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
