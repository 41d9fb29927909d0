"""Confidence intervals of shares, and of any statistic over questions by the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]
"""An array of shape (measures, questions)."""
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% confidence interval."""

    value: float
    low: float
    high: float

    def percent(self) -> str:
        """Format a share, such as `97.5 % [96.6, 98.5]`."""
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"

    def points(self) -> str:
        """Format a difference, such as `+0.3 [-0.6, +1.2]`."""
        return f"{self.value:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def share(right: NDArray[np.bool_]) -> Estimate:
    """The share of true values with Wilson's score interval, which is also valid near 0 and 1."""
    n, p = len(right), float(right.mean())
    middle = p + Z_95**2 / (2 * n)
    reach = Z_95 * math.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n * n))
    scale = 1 + Z_95**2 / n
    return Estimate(p, max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale))


def bootstrap(
    columns: Columns,
    statistic: Callable[[Columns], float],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """A statistic of `columns` (measures, questions) with the percentile interval over resampled questions.

    All measures are resampled together, so differences between them are paired. Resamples where the statistic is
    undefined (NaN) are ignored.
    """
    rng = np.random.default_rng(seed)
    n = columns.shape[1]
    values = np.array([statistic(columns[:, rng.integers(0, n, n)]) for _ in range(draws)])
    low, high = np.nanpercentile(values, [2.5, 97.5]) if not np.isnan(values).all() else (math.nan, math.nan)
    return Estimate(statistic(columns), float(low), float(high))


def ratio(parts: Sequence[float], totals: Sequence[float]) -> Estimate | None:
    """The sum of `parts` divided by that of `totals`, which both have a value for each question. None if there are no
    totals above 0."""
    if not any(totals):
        return None

    def divided(columns: Columns) -> float:
        part, total = columns.sum(axis=1)
        return float(part / total) if total else math.nan

    return bootstrap(np.array([parts, totals], dtype=np.float64), divided)


def resampled(n: int, *, draws: int = 2000, seed: int = 0) -> Columns:
    """How often each of n questions occurs in each bootstrap sample: (draws, n).

    Multiply it by the measures of the questions to get the sums of the samples.
    """
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws).astype(float)


def percentiles(value: float, values: NDArray[np.float64]) -> Estimate:
    """A figure with the percentile interval of its bootstrap values. NaNs are ignored."""
    known = values[~np.isnan(values)]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size else (math.nan, math.nan)
    return Estimate(float(value), float(low), float(high))
