"""Times drawing in one, two, and three waves, and with paths started early, and counts what is canceled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from waves_counted import Drawn

from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.client import add_usage
from egrm_graph.context import Run
from egrm_graph.nodes.answer_fast import answer_fast
from egrm_graph.nodes.check_uncertainty import check_uncertainty
from egrm_graph.nodes.expand_cot import expand_cot
from egrm_graph.parts import Parts
from egrm_graph.settings import Settings
from egrm_graph.uncertainty.stopping import Standing, stopping_rule
from egrm_graph.uncertainty.wave_sizes import wave_sizes
from egrm_graph.verification import Usage

WARM_UP = 10
"""Questions that do not count, before those that do."""


@dataclass(frozen=True)
class Timed:
    """One variant of drawing. Figures are per question, and `reasoned` is a number of questions."""

    variant: str
    questions: int
    p50_ms: float
    p95_ms: float
    requests: float
    completion_tokens: float
    cancelled_tokens: float
    reasoned: int


@dataclass(frozen=True)
class _Once:
    ms: float
    usage: Usage
    reasoned: bool


async def timed(parts: Parts, drawn: Sequence[Drawn], samples: int, n: int) -> list[Timed]:
    """Time the fast answers to the first `n` questions. Then time fast answers and paths, without and with speculation,
    on the first `n` questions that the first of two waves does not decide. The variants take turns, so they run under
    the same conditions."""
    fast: dict[str, dict[str, Any]] = {
        "all, one wave": {"stopping": "all"},
        "decided, one wave of single requests": {"waves": 1, "single_requests": True},
        "decided, two waves": {"waves": 2},
        "decided, three waves": {"waves": 3},
    }
    ahead: dict[str, dict[str, Any]] = {"paths after the gate": {}, "paths started early": {"speculate": True}}
    undecided = [entry.question for entry in drawn if _undecided(parts, entry, samples)]
    return [
        *await _turns(parts, [entry.question for entry in drawn[:n]], samples, fast, paths=False),
        *(await _turns(parts, undecided[:n], samples, ahead, paths=True) if undecided else []),
    ]


async def _turns(
    parts: Parts, questions: Sequence[BenchQuestion], samples: int, variants: dict[str, dict[str, Any]], *, paths: bool
) -> list[Timed]:
    settings = {name: parts.settings.overridden({"samples": samples, **changes}) for name, changes in variants.items()}
    times: dict[str, list[_Once]] = {name: [] for name in variants}
    for i, question in enumerate((*questions[:WARM_UP], *questions)):
        for name in sorted(variants, reverse=i % 2 == 0):
            once = await _once(parts, question, settings[name], paths=paths)
            times[name] += [once] if i >= min(WARM_UP, len(questions)) else []
    return [_timed(name, once) for name, once in times.items()]


async def _once(parts: Parts, question: BenchQuestion, settings: Settings, *, paths: bool) -> _Once:
    """Run the nodes before the scorer, as the graph does."""
    run = Run(parts, settings, lambda _: None, parts.client)
    state: Any = {"question": question.text}
    state |= await answer_fast(state, run)
    state |= check_uncertainty(state, run)
    reasoned = state["gated"]["route"] == "reasoned"
    stages = [state["drawn"], *([(await expand_cot(state, run))["expanded"]] if paths and reasoned else [])]
    return _Once(sum(stage["ms"] for stage in stages), add_usage(*(stage["usage"] for stage in stages)), reasoned)


def _timed(variant: str, drawn: Sequence[_Once]) -> Timed:
    ms = [once.ms for once in drawn]
    return Timed(
        variant=variant,
        questions=len(drawn),
        p50_ms=float(np.percentile(ms, 50)),
        p95_ms=float(np.percentile(ms, 95)),
        requests=float(np.mean([once.usage["requests"] for once in drawn])),
        completion_tokens=float(np.mean([once.usage["completion_tokens"] for once in drawn])),
        cancelled_tokens=float(np.mean([once.usage["cancelled_tokens"] for once in drawn])),
        reasoned=sum(once.reasoned for once in drawn),
    )


def _undecided(parts: Parts, drawn: Drawn, samples: int) -> bool:
    """Whether the first of two waves leaves the outcome open."""
    rule = stopping_rule("decided", parts.gate(parts.settings))
    first, *later = wave_sizes(rule, samples, 2)
    return bool(later) and not rule(Standing(drawn.classes[:first], samples))
