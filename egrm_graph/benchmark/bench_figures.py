"""What the benchmark's results come to: a row for each strategy, with what can be worked out of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from egrm_graph.benchmark.bench_folder import Result
from egrm_graph.errors import InputError
from egrm_graph.intervals import Estimate, bootstrap, share

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One strategy's figures; those that are not known of what was worked out are None."""

    strategy: str
    accuracy: Estimate
    tokens: Estimate
    """Completion tokens a question, cancelled ones included."""
    points: Estimate | None
    """Accuracy less that of always reasoning, in percentage points; paired."""
    short_of: str | None
    """The most accurate strategy that costs no more, where that is another one."""
    short_by: Estimate | None
    """How many percentage points less accurate than that one; paired."""
    escalated: float
    cancelled_tokens: float | None
    failed: int | None
    """Questions whose status was not `ok`."""
    p50_s: float | None
    p95_s: float | None


@dataclass(frozen=True)
class _Series:
    """A strategy's values, a question each; of what was worked out, expected ones."""

    right: Values
    tokens: Values
    escalated: float
    results: Sequence[Result] = ()


def rows(results: Sequence[Result], names: Sequence[str]) -> list[Row]:
    """A row for each of the names, on the questions that all of them were asked.

    Raises:
        InputError: there is no such question, or what `random` and `oracle` are worked out from is missing.
    """
    series = _series(results, names)
    return [_row(name, series) for name in names]


def _series(results: Sequence[Result], names: Sequence[str]) -> dict[str, _Series]:
    by_name: dict[str, dict[str, Result]] = {}
    for result in results:
        by_name.setdefault(result.strategy, {})[result.id] = result
    asked = [name for name in names if name not in ("random", "oracle")]
    common = set.intersection(*(set(by_name.get(name, {})) for name in asked)) if asked else set()
    if not common:
        raise InputError("no question has a result of every strategy; let the benchmark run to its end")
    ids = sorted(common)
    series = {name: _asked([by_name[name][i] for i in ids]) for name in asked}
    for name in names:
        if name not in asked:
            series[name] = _worked_out(name, series)
    return series


def _asked(results: Sequence[Result]) -> _Series:
    return _Series(
        right=np.array([result.right for result in results], dtype=float),
        tokens=np.array([result.completion_tokens for result in results], dtype=float),
        escalated=float(np.mean([result.escalated for result in results])),
        results=results,
    )


def _worked_out(name: str, series: Mapping[str, _Series]) -> _Series:
    """The random gate at the rate of `egrm`, or the gate that reasons only where that puts a wrong answer right."""
    if missing := [each for each in ("never", "always", "egrm") if each not in series]:
        raise InputError(f"the strategy {name!r} is worked out from never, always and egrm; add {', '.join(missing)}")
    never, always = series["never"], series["always"]
    if name == "random":
        rate = np.full(len(never.right), series["egrm"].escalated)
    else:
        rate = ((never.right == 0) & (always.right == 1)).astype(float)
    right = (1 - rate) * never.right + rate * always.right
    return _Series(right, never.tokens + rate * always.tokens, float(rate.mean()))


def _row(name: str, series: Mapping[str, _Series]) -> Row:
    own = series[name]
    rival = _rival(name, series)
    times = [result.seconds for result in own.results]
    return Row(
        strategy=name,
        accuracy=share(own.right == 1) if own.results else _mean(own.right),
        tokens=_mean(own.tokens),
        points=_points(own, series["always"]) if "always" in series and name != "always" else None,
        short_of=rival,
        short_by=None if rival is None else _points(series[rival], own),
        escalated=own.escalated,
        cancelled_tokens=float(np.mean([result.cancelled_tokens for result in own.results])) if own.results else None,
        failed=sum(result.status != "ok" for result in own.results) if own.results else None,
        p50_s=float(np.percentile(times, 50)) if times else None,
        p95_s=float(np.percentile(times, 95)) if times else None,
    )


def _rival(name: str, series: Mapping[str, _Series]) -> str | None:
    """The most accurate strategy at no higher cost; the oracle is none, for nobody has it."""
    own = series[name]
    others = [each for each in series if each not in (name, "oracle")]
    cheaper = [each for each in others if series[each].tokens.mean() <= own.tokens.mean()]
    best = max(cheaper, key=lambda each: float(series[each].right.mean()), default=None)
    return best if best is not None and series[best].right.mean() > own.right.mean() else None


def _mean(values: Values) -> Estimate:
    return bootstrap(values[None, :], lambda columns: float(columns[0].mean()))


def _points(one: _Series, other: _Series) -> Estimate:
    return bootstrap(
        np.array([one.right, other.right]), lambda columns: 100 * float(columns[0].mean() - columns[1].mean())
    )
