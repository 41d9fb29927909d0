"""What stopping early saves, and what waves cost: `python -m egrm_graph.benchmark.waves`.

The fast answers of the bundled world's held-out questions, one question after the other, under each stopping rule and
number of waves, with the same seeds. The fewest samples that any rule with the same decisions could draw are those of
`decided` asked after every single one: it stops at the first vote after which all continuations lead to the same.
With `--base-url` a vLLM server that serves egrm-tiny answers, in the place of the bundled model in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from egrm_graph.benchmark.questions import Question, held_out
from egrm_graph.benchmark.statistics import Estimate, bootstrap
from egrm_graph.clients.client import add_usage
from egrm_graph.context import Run
from egrm_graph.errors import EgrmError
from egrm_graph.nodes.answer_fast import answer_fast
from egrm_graph.nodes.check_uncertainty import check_uncertainty
from egrm_graph.nodes.expand_cot import expand_cot
from egrm_graph.parts import Parts, assemble
from egrm_graph.settings import Settings

WARM_UP = 20
"""Questions before the counted ones."""


@dataclass(frozen=True)
class Way:
    """One way to draw."""

    name: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """One question, drawn in one way."""

    route: str
    answer: str | None
    """Of the direct route; None on the other."""
    samples: int
    tokens: int
    cancelled: int
    requests: int
    ms: float


@dataclass(frozen=True)
class Row:
    """One way, a question."""

    way: str
    samples: Estimate
    over_fewest: Estimate
    """How many more samples than the fewest, as a share of these."""
    requests: float
    completion_tokens: float
    cancelled_tokens: float
    p50_ms: float
    p95_ms: float
    changed: int
    """Questions with another route, or another direct answer, than with all drawn."""


def ways(samples: int) -> list[Way]:
    """The fewest come first, and then all."""
    one_by_one: dict[str, Any] = {"waves": samples}
    return [
        Way("the fewest: decided, one by one", one_by_one),
        Way("all, one wave", {"stopping": "all"}),
        Way("decided, one wave of single requests", {"waves": 1, "single_requests": True}),
        *(Way(f"decided, {n} waves", {"waves": n}) for n in (2, 3)),
        *(Way(f"{rule}, one by one", {"stopping": rule, **one_by_one}) for rule in ("beta", "windows", "sequential")),
    ]


async def draw(parts: Parts, question: Question, settings: Settings, *, paths: bool = False) -> Seen:
    """The nodes before the scorer, as the graph runs them; the paths only if asked for."""
    run = Run(parts, settings, lambda _: None)
    state: Any = {"question": question.text}
    state |= await answer_fast(state, run)
    state |= check_uncertainty(state, run)
    uncertainty, direct = state["gated"]["uncertainty"], state["gated"]["route"] == "direct"
    stages = [state["drawn"]]
    if paths and not direct:
        stages.append((await expand_cot(state, run))["expanded"])
    usage = add_usage(*(stage["usage"] for stage in stages))
    return Seen(
        route=state["gated"]["route"],
        answer=uncertainty["votes"][0]["answer"] if direct else None,
        samples=uncertainty["samples"],
        tokens=usage["completion_tokens"],
        cancelled=usage["cancelled_tokens"],
        requests=usage["requests"],
        ms=sum(stage["ms"] for stage in stages),
    )


async def all_drawn(
    parts: Parts, questions: Sequence[Question], settings: Settings, *, paths: bool = False
) -> list[Seen]:
    for question in questions[:WARM_UP]:
        await draw(parts, question, settings, paths=paths)
    return [await draw(parts, question, settings, paths=paths) for question in questions]


def row(way: Way, seen: Sequence[Seen], fewest: Sequence[Seen], everything: Sequence[Seen]) -> Row:
    columns = np.array([[each.samples for each in seen], [each.samples for each in fewest]], dtype=np.float64)
    ms = [each.ms for each in seen]
    changed = [
        (one.route, one.answer) != (other.route, other.answer) for one, other in zip(seen, everything, strict=True)
    ]
    return Row(
        way=way.name,
        samples=bootstrap(columns, lambda drawn: float(drawn[0].mean())),
        over_fewest=bootstrap(columns, lambda drawn: float(drawn[0].sum() / drawn[1].sum()) - 1),
        requests=float(np.mean([each.requests for each in seen])),
        completion_tokens=float(np.mean([each.tokens for each in seen])),
        cancelled_tokens=float(np.mean([each.cancelled for each in seen])),
        p50_ms=float(np.percentile(ms, 50)),
        p95_ms=float(np.percentile(ms, 95)),
        changed=sum(changed),
    )


async def measure_ways(parts: Parts, questions: Sequence[Question], samples: int, err: Console) -> list[Row]:
    drawn: list[tuple[Way, list[Seen]]] = []
    for way in ways(samples):
        with err.status(f"M = {samples}: {way.name}"):
            settings = parts.settings.overridden({"samples": samples, **way.settings})
            drawn.append((way, await all_drawn(parts, questions, settings)))
    fewest, everything = drawn[0][1], drawn[1][1]
    return [row(way, seen, fewest, everything) for way, seen in drawn]


@dataclass(frozen=True)
class Speculated:
    """Questions whose first wave was not enough, with paths drawn after the gate or started before it; a question."""

    waves: int
    speculate: bool
    questions: int
    escalated: int
    p50_ms: float
    """Of drawing, fast answers and paths."""
    p95_ms: float
    completion_tokens: float
    cancelled_tokens: float


async def measure_speculation(
    parts: Parts, questions: Sequence[Question], samples: int, waves: int, err: Console
) -> list[Speculated]:
    settings = parts.settings.overridden({"samples": samples, "waves": waves})
    with err.status(f"M = {samples}, {waves} waves: which questions need a second one"):
        open_ones = [q for q in questions if (await draw(parts, q, settings)).requests > 1]
    found = []
    for speculate in (False, True) if open_ones else ():
        with err.status(f"M = {samples}, {waves} waves: paths {'ahead' if speculate else 'after the gate'}"):
            given = settings.overridden({"speculate": speculate})
            seen = await all_drawn(parts, open_ones, given, paths=True)
        ms = [each.ms for each in seen]
        found.append(
            Speculated(
                waves=waves,
                speculate=speculate,
                questions=len(seen),
                escalated=sum(each.route == "reasoned" for each in seen),
                p50_ms=float(np.percentile(ms, 50)),
                p95_ms=float(np.percentile(ms, 95)),
                completion_tokens=float(np.mean([each.tokens for each in seen])),
                cancelled_tokens=float(np.mean([each.cancelled for each in seen])),
            )
        )
    return found


def table(samples: int, rows: Sequence[Row], questions: int) -> Table:
    shown = Table(
        "", "samples", "over the fewest", "requests", "tokens", "cancelled", "p50 ms", "p95 ms", "changed",
        title=f"M = {samples}, {questions} questions, one after the other",
    )  # fmt: skip
    for each in rows:
        shown.add_row(
            each.way,
            f"{each.samples.value:.2f}",
            each.over_fewest.percent(),
            f"{each.requests:.2f}",
            f"{each.completion_tokens:.1f}",
            f"{each.cancelled_tokens:.1f}",
            f"{each.p50_ms:.0f}",
            f"{each.p95_ms:.0f}",
            str(each.changed),
        )
    return shown


def speculation_table(samples: int, rows: Sequence[Speculated]) -> Table:
    shown = Table(
        "waves", "paths", "questions", "escalated", "p50 ms", "p95 ms", "tokens", "cancelled",
        title=f"M = {samples}, questions whose first wave was not enough",
    )  # fmt: skip
    for each in rows:
        shown.add_row(
            str(each.waves),
            "started ahead" if each.speculate else "after the gate",
            str(each.questions),
            str(each.escalated),
            f"{each.p50_ms:.0f}",
            f"{each.p95_ms:.0f}",
            f"{each.completion_tokens:.1f}",
            f"{each.cancelled_tokens:.1f}",
        )
    return shown


async def measure(given: argparse.Namespace, out: Console, err: Console) -> dict[str, Any]:
    questions = held_out(given.questions)
    engine: dict[str, Any] = {"engine": "vllm", "base_url": (given.base_url,)} if given.base_url else {}
    parts = assemble(Settings(**engine, threshold=given.threshold), scorer=None)
    figures: dict[str, Any] = {}
    try:
        await parts.check()
        for samples in given.samples:
            rows = await measure_ways(parts, questions, samples, err)
            out.print(table(samples, rows, len(questions)))
            ahead = [
                each for waves in (2, 3) for each in await measure_speculation(parts, questions, samples, waves, err)
            ]
            out.print(speculation_table(samples, ahead))
            figures[str(samples)] = {
                "ways": [asdict(each) for each in rows],
                "speculation": [asdict(each) for each in ahead],
            }
    finally:
        await parts.aclose()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--questions", type=int, default=1000, help="held-out questions (default 1000)")
    parser.add_argument("--samples", type=int, nargs="+", default=[5, 16], help="M, each by itself (default 5 16)")
    parser.add_argument("--threshold", type=float, help="of the gate (default 0.8)")
    parser.add_argument("--base-url", help="a vLLM server that serves egrm-tiny, such as http://localhost:8000/v1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file as well")
    given = parser.parse_args()
    try:
        figures = asyncio.run(measure(given, Console(highlight=False, width=120), Console(stderr=True)))
    except EgrmError as error:
        sys.exit(f"error: {error}")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
