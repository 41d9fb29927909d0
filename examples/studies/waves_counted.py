"""Counts what each stopping rule would have drawn, from complete sets of fast answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.context import Run
from egrm_graph.intervals import Estimate, bootstrap
from egrm_graph.nodes.answer_fast import answer_fast
from egrm_graph.parts import Parts
from egrm_graph.settings import Stopping
from egrm_graph.uncertainty.evidence import evidence_of
from egrm_graph.uncertainty.measures import Gate
from egrm_graph.uncertainty.stopping import Standing, StoppingRule, stopping_rule
from egrm_graph.uncertainty.votes import classes
from egrm_graph.uncertainty.wave_sizes import wave_sizes
from egrm_graph.verification import Sample

IN_FLIGHT = 64


@dataclass(frozen=True)
class Drawn:
    """A question with all its fast answers."""

    question: BenchQuestion
    samples: list[Sample]
    classes: tuple[int | None, ...]


@dataclass(frozen=True)
class Counted:
    """One rule and number of waves. All figures except `changed` are means per question."""

    rule: str
    sizes: tuple[int, ...]
    samples: Estimate
    over_fewest: Estimate
    """The share of samples in addition to the fewest possible."""
    round_trips: float
    completion_tokens: float
    changed: int
    """Questions with another route or another direct answer than with all samples."""


async def draw_all(parts: Parts, questions: Sequence[BenchQuestion], samples: int) -> list[Drawn]:
    """Draw all fast answers to all questions, many at once."""
    run = Run(parts, parts.settings.overridden({"samples": samples, "stopping": "all"}), lambda _: None, parts.client)
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def one(question: BenchQuestion) -> Drawn:
        async with slots:
            drawn = (await answer_fast({"question": question.text}, run))["drawn"]["samples"]  # type: ignore[typeddict-item]
        return Drawn(question, drawn, tuple(classes([sample["answer"] for sample in drawn], parts.task.same)))

    return await asyncio.gather(*map(one, questions))


def counted(parts: Parts, drawn: Sequence[Drawn], samples: int) -> list[Counted]:
    """The fewest possible first, then `decided` in one, two, and three waves, and the other rules one sample at a
    time."""
    gate = parts.gate(parts.settings)
    plans: list[tuple[str, Stopping, int]] = [
        ("decided: the fewest", "decided", samples),
        *(("decided", "decided", waves) for waves in (1, 2, 3)),
        *((name, name, samples) for name in ("beta", "windows", "sequential")),
    ]
    ends: list[list[int]] = []
    rows = []
    for name, stopping, waves in plans:
        rule = stopping_rule(stopping, gate)
        sizes = wave_sizes(rule, samples, waves)
        stops = list(accumulate(sizes))
        ends.append([_end(rule, entry.classes, stops) for entry in drawn])
        columns = np.array([ends[-1], ends[0]], dtype=np.float64)
        cut = list(zip(drawn, ends[-1], strict=True))
        rows.append(
            Counted(
                rule=name,
                sizes=sizes,
                samples=bootstrap(columns, lambda counts: float(counts[0].mean())),
                over_fewest=bootstrap(columns, lambda counts: float(counts[0].sum() / counts[1].sum()) - 1),
                round_trips=float(np.mean([1 + stops.index(end) for end in ends[-1]])),
                completion_tokens=float(
                    np.mean([sum(sample["n_tokens"] or 0 for sample in entry.samples[:end]) for entry, end in cut])
                ),
                changed=sum(
                    decision(parts, gate, entry.samples[:end]) != decision(parts, gate, entry.samples)
                    for entry, end in cut
                ),
            )
        )
    return rows


def decision(parts: Parts, gate: Gate, samples: Sequence[Sample]) -> str | None:
    """The direct answer; None if the question is reasoned about."""
    evidence = evidence_of(samples, [], parts.task.same)
    return evidence.votes.top if gate.certain(evidence) else None


def _end(rule: StoppingRule, votes: tuple[int | None, ...], stops: Sequence[int]) -> int:
    return next(end for end in stops if end == stops[-1] or rule(Standing(votes[:end], len(votes))))
