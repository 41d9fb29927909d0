"""The figures of a benchmark: a row for each method, including those derived from others."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from egrm_graph.benchmark.bench_folder import MethodResult
from egrm_graph.benchmark.bench_methods import METHODS, BenchMethod, ReasoningRate, find_method
from egrm_graph.errors import InputError
from egrm_graph.intervals import Estimate, bootstrap, ratio, share

_Values = NDArray[np.float64]
DERIVED_FROM = ("never", "always", "egrm")


@dataclass(frozen=True)
class BenchRow:
    """The figures of one method. Some are None for a derived method, because nothing was measured."""

    method: str
    questions: int
    """Those that every method has a result for."""
    accuracy: Estimate
    tokens: Estimate
    """Completion tokens per question, including canceled ones."""
    points: Estimate | None
    """Accuracy minus that of always reasoning, in percentage points, paired."""
    short_of: str | None
    """The most accurate method that costs no more, if that is another one."""
    short_by: Estimate | None
    """How many percentage points less accurate than that method, paired."""
    escalated: float
    cancelled_tokens: float | None
    failed: int | None
    """Questions whose status was not `ok`; None for a derived method."""
    unreadable_fast: Estimate | None
    """The share of fast answers without an answer; None without any."""
    unreadable_paths: Estimate | None
    """The share of paths without an answer; None without any."""
    p50_s: float | None
    """None if time was not measured."""
    p95_s: float | None
    rewardbench: Estimate | None = None
    """The accuracy on pairs by RewardBench's parser; see `verdict_parsers`. None for a derived method, or if not every
    question is a pair."""


@dataclass(frozen=True)
class _Series:
    """The values of one method, one per question. For a derived method, they are expected values."""

    right: _Values
    tokens: _Values
    escalated: float
    results: Sequence[MethodResult] = ()


def rows(
    results: Sequence[MethodResult], names: Sequence[str], known: Sequence[BenchMethod] = METHODS
) -> list[BenchRow]:
    """A row for each of the names, on the questions that every method has a result for.

    Raises:
        InputError: no such question exists, or a method that a derived one needs is missing.
        SettingsError: a name is unknown.
    """
    series = _series(results, names, known)
    unfair = {name for name in names if find_method(name, known).method.knows_reference}
    return [_row(name, series, unfair) for name in names]


def _series(results: Sequence[MethodResult], names: Sequence[str], known: Sequence[BenchMethod]) -> dict[str, _Series]:
    by_name: dict[str, dict[str, MethodResult]] = {}
    for result in results:
        by_name.setdefault(result.method, {})[result.id] = result
    rates = {name: rate for name in names if (rate := find_method(name, known).method.rate) is not None}
    measured = [name for name in names if name not in rates]
    common = set.intersection(*(set(by_name.get(name, {})) for name in measured)) if measured else set()
    if not common:
        raise InputError("no question has a result of every method; let the benchmark run to its end")
    ids = sorted(common)
    series = {name: _measured([by_name[name][i] for i in ids]) for name in measured}
    return series | {name: _derived(name, rate, series) for name, rate in rates.items()}


def _measured(results: Sequence[MethodResult]) -> _Series:
    return _Series(
        right=np.array([result.right for result in results], dtype=float),
        tokens=np.array([result.completion_tokens for result in results], dtype=float),
        escalated=float(np.mean([result.escalated for result in results])),
        results=results,
    )


def require_sources(names: Sequence[str], present: Container[str], rates: Mapping[str, ReasoningRate | None]) -> None:
    """Check that the methods which derived ones follow from are there, too.

    Raises:
        InputError: one is missing.
    """
    for name in names:
        missing = [needed for needed in DERIVED_FROM if needed not in present]
        if rates[name] is not None and missing:
            raise InputError(f"the method {name!r} is derived from never, always, and egrm; add {', '.join(missing)}")


def _derived(name: str, rate_of: ReasoningRate, series: Mapping[str, _Series]) -> _Series:
    require_sources([name], series, {name: rate_of})
    never, always = series["never"], series["always"]
    rate = rate_of(never.right, always.right, series["egrm"].escalated)
    right = (1 - rate) * never.right + rate * always.right
    return _Series(right, never.tokens + rate * always.tokens, float(rate.mean()))


def _row(name: str, series: Mapping[str, _Series], unfair: Collection[str]) -> BenchRow:
    own = series[name]
    rival = _rival(name, {other: one for other, one in series.items() if other == name or other not in unfair})
    times = [result.seconds for result in own.results if result.seconds is not None]
    return BenchRow(
        method=name,
        questions=len(own.right),
        accuracy=share(own.right == 1) if own.results else _mean(own.right),
        tokens=_mean(own.tokens),
        points=_points(own, series["always"]) if "always" in series and name != "always" else None,
        short_of=rival,
        short_by=None if rival is None else _points(series[rival], own),
        escalated=own.escalated,
        cancelled_tokens=float(np.mean([result.cancelled_tokens for result in own.results])) if own.results else None,
        failed=sum(result.status != "ok" for result in own.results) if own.results else None,
        unreadable_fast=ratio(
            [result.unreadable_fast for result in own.results], [result.fast_answers for result in own.results]
        ),
        unreadable_paths=ratio(
            [result.unreadable_paths for result in own.results], [result.paths for result in own.results]
        ),
        p50_s=float(np.percentile(times, 50)) if times else None,
        p95_s=float(np.percentile(times, 95)) if times else None,
        rewardbench=mean_of_all([result.rewardbench for result in own.results]),
    )


def _rival(name: str, series: Mapping[str, _Series]) -> str | None:
    """The most accurate method that costs no more."""
    own = series[name]
    others = [other for other in series if other != name]
    cheaper = [other for other in others if series[other].tokens.mean() <= own.tokens.mean()]
    best = max(cheaper, key=lambda other: float(series[other].right.mean()), default=None)
    return best if best is not None and series[best].right.mean() > own.right.mean() else None


def _mean(values: _Values) -> Estimate:
    return bootstrap(values[None, :], lambda columns: float(columns[0].mean()))


def mean_of_all(values: Sequence[float | None]) -> Estimate | None:
    """The mean of the values; None if one is missing, or there are none."""
    known = [value for value in values if value is not None]
    return _mean(np.array(known)) if known and len(known) == len(values) else None


def _points(one: _Series, other: _Series) -> Estimate:
    return bootstrap(
        np.array([one.right, other.right]), lambda columns: 100 * float(columns[0].mean() - columns[1].mean())
    )
