"""Statistics of runs over time: how many reasoned, what they cost, and how many were right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from egrm_graph.intervals import Estimate, share
from egrm_graph.tracing.run_summary import RunSummary

PeriodLength = Literal["hour", "day", "all"]
FORMATS: dict[PeriodLength, str] = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "all": "all"}


@dataclass(frozen=True)
class Period:
    """The runs that started in one hour or day of local time."""

    name: str
    runs: int
    endings: dict[str, int]
    reasoned: Estimate | None
    """The share of routed runs that reasoned. None if no run has a route."""
    tokens: dict[str, float]
    """Mean completion tokens of a run, by route."""
    p50_ms: float
    p95_ms: float
    with_reference: int
    accuracy: Estimate | None
    """The accuracy of the runs with a reference and an answer. None without such runs."""


def periods(rows: Iterable[RunSummary], by: PeriodLength) -> list[Period]:
    """The periods with runs, oldest first."""
    found: dict[str, list[RunSummary]] = defaultdict(list)
    for row in rows:
        found[datetime.fromtimestamp(row.started_at).strftime(FORMATS[by])].append(row)
    return [_period(name, found[name]) for name in sorted(found)]


def _period(name: str, rows: Sequence[RunSummary]) -> Period:
    routes = [row.route for row in rows if row.route is not None]
    judged = [row.correct for row in rows if row.correct is not None]
    p50_ms, p95_ms = np.percentile([row.ms for row in rows], [50, 95])
    return Period(
        name=name,
        runs=len(rows),
        endings=_counted([row.ending for row in rows]),
        reasoned=share(np.array([route == "reasoned" for route in routes])) if routes else None,
        tokens={
            route: float(np.mean([row.completion_tokens for row in rows if row.route == route]))
            for route in sorted(set(routes))
        },
        p50_ms=float(p50_ms),
        p95_ms=float(p95_ms),
        with_reference=len(judged),
        accuracy=share(np.array(judged)) if judged else None,
    )


def _counted(names: Sequence[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}
