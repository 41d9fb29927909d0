"""How long drawing takes, and what is cancelled: in one, two and three waves, and with paths started ahead."""

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
from egrm_graph.uncertainty.stopping import Standing, stop_rule
from egrm_graph.uncertainty.wave_sizes import wave_sizes
from egrm_graph.verification import Usage

WARM_UP = 10
"""Questions before those that count."""


@dataclass(frozen=True)
class Timed:
    """One way to draw, a question; `reasoned` is a number of questions."""

    way: str
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
    """Fast answers of the first `n` questions; then fast answers and paths of the first `n` whose first of two waves
    does not do, without and with speculation. Ways take turns, so that none has the quieter minute."""
    fast: dict[str, dict[str, Any]] = {
        "all, one wave": {"stopping": "all"},
        "decided, one wave of single requests": {"waves": 1, "single_requests": True},
        "decided, two waves": {"waves": 2},
        "decided, three waves": {"waves": 3},
    }
    ahead: dict[str, dict[str, Any]] = {"paths after the gate": {}, "paths started ahead": {"speculate": True}}
    undecided = [each.question for each in drawn if _undecided(parts, each, samples)]
    return [
        *await _turns(parts, [each.question for each in drawn[:n]], samples, fast, paths=False),
        *(await _turns(parts, undecided[:n], samples, ahead, paths=True) if undecided else []),
    ]


async def _turns(
    parts: Parts, questions: Sequence[BenchQuestion], samples: int, ways: dict[str, dict[str, Any]], *, paths: bool
) -> list[Timed]:
    settings = {way: parts.settings.overridden({"samples": samples, **given}) for way, given in ways.items()}
    found: dict[str, list[_Once]] = {way: [] for way in ways}
    for i, question in enumerate((*questions[:WARM_UP], *questions)):
        for way in sorted(ways, reverse=i % 2 == 0):
            once = await _once(parts, question, settings[way], paths=paths)
            found[way] += [once] if i >= min(WARM_UP, len(questions)) else []
    return [_timed(way, once) for way, once in found.items()]


async def _once(parts: Parts, question: BenchQuestion, settings: Settings, *, paths: bool) -> _Once:
    """The nodes before the scorer, as the graph runs them."""
    run = Run(parts, settings, lambda _: None, parts.client)
    state: Any = {"question": question.text}
    state |= await answer_fast(state, run)
    state |= check_uncertainty(state, run)
    reasoned = state["gated"]["route"] == "reasoned"
    stages = [state["drawn"], *([(await expand_cot(state, run))["expanded"]] if paths and reasoned else [])]
    return _Once(sum(stage["ms"] for stage in stages), add_usage(*(stage["usage"] for stage in stages)), reasoned)


def _timed(way: str, drawn: Sequence[_Once]) -> Timed:
    ms = [each.ms for each in drawn]
    return Timed(
        way=way,
        questions=len(drawn),
        p50_ms=float(np.percentile(ms, 50)),
        p95_ms=float(np.percentile(ms, 95)),
        requests=float(np.mean([each.usage["requests"] for each in drawn])),
        completion_tokens=float(np.mean([each.usage["completion_tokens"] for each in drawn])),
        cancelled_tokens=float(np.mean([each.usage["cancelled_tokens"] for each in drawn])),
        reasoned=sum(each.reasoned for each in drawn),
    )


def _undecided(parts: Parts, drawn: Drawn, samples: int) -> bool:
    """Whether the first of two waves does not do."""
    rule = stop_rule("decided", parts.gate(parts.settings))
    first, *rest = wave_sizes(rule, samples, 2)
    return bool(rest) and not rule(Standing(drawn.classes[:first], samples))
