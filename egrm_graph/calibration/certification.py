"""Which thresholds of a gate keep a risk below a target, with a stated confidence: a finite-sample guarantee.

Method: learn then test. Each threshold is a null hypothesis, "its risk is above the target", tested by the exact
binomial p-value of its losses, `P(Binomial(n, target) <= losses)`. Thresholds of one measure and one M are tested from
the strictest on, each at the same level, until one fails (fixed sequence); several measures and Ms share the level
(Bonferroni). Then, with probability at least 1 - delta, no threshold that passed has a risk above the target, whatever
the model and the measure, for questions drawn independently from the same source as the calibration's. Any threshold
that passed may be chosen, by any criterion.

Source: Angelopoulos et al. 2021, arXiv:2110.01052; the binomial test is Clopper & Pearson 1934. Conformal risk control
(arXiv:2208.02814) only bounds the risk on average over calibration sets, which is not a statement "with 95 %
confidence".
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def last_passed(losses: Ints, n: int | Ints, target: float, delta: float) -> Ints:
    """The last threshold in sequence that passes, along the last axis; -1 if not even the first does.

    `losses` (..., T) are those of `n` questions at each threshold, the strictest first; `n` may differ by threshold.
    """
    from scipy.stats import binom

    passed = binom.cdf(losses, n, target) <= delta
    return np.asarray(np.logical_and.accumulate(passed, axis=-1).sum(axis=-1) - 1)


def questions_needed(target: float, delta: float) -> int:
    """The fewest questions that could guarantee the target, with no loss among them."""
    return math.ceil(math.log(delta) / math.log1p(-target))


def p_value(losses: int, n: int, target: float) -> float:
    """The probability of that many losses or fewer if the risk equals the target."""
    from scipy.stats import binom

    return float(binom.cdf(losses, n, target))


def upper_bound(losses: int, n: int, delta: float) -> float:
    """The largest risk that is consistent with that many losses: exact, one-sided, at confidence 1 - delta."""
    from scipy.stats import beta

    return 1.0 if losses >= n else float(beta.ppf(1 - delta, losses + 1, n - losses))
