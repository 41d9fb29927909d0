"""Monitors whether the share of direct questions is still the one that the gate was calibrated with."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

from egrm_graph.runtime.forking import call_in_children

FALSE_ALARM = 0.005
"""Together with the 0.005 of the interval, an unchanged gate warns in one of a hundred streams, however long."""


@dataclass
class RateWatch:
    """Counts questions as they come, and reports once when the share of direct ones leaves `between` beyond chance.

    Method: the likelihood of the stream under a Beta(1/2, 1/2) mixture of all shares, over its largest likelihood
    under a share in `between`, is at most a martingale that starts at 1 for the true share. By Ville's inequality, it
    ever reaches 1 / FALSE_ALARM with at most that probability, so checking after every question costs nothing.

    Source: Robbins 1970 (mixtures); Howard et al. 2021, arXiv:1810.08240.
    """

    between: tuple[float, float]
    n: int = 0
    n_direct: int = 0
    reported: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __post_init__(self) -> None:
        call_in_children(self._unlock)

    def saw(self, *, direct: bool) -> bool:
        """Counts one more question. True once, when the share has left the interval."""
        with self._lock:
            self.n += 1
            self.n_direct += direct
            if self.reported or self.log_evidence() < -math.log(FALSE_ALARM):
                return False
            self.reported = True
            return True

    def _unlock(self) -> None:
        """In a forked child, the thread that holds the lock may not exist."""
        self._lock = threading.Lock()

    def log_evidence(self) -> float:
        """The logarithm of the ratio for the questions so far."""
        k, n = self.n_direct, self.n
        low, high = self.between
        nearest = min(max(k / n if n else low, low), high)
        mixture = math.lgamma(k + 0.5) + math.lgamma(n - k + 0.5) - math.lgamma(n + 1) - math.log(math.pi)
        return mixture - _log(k, nearest) - _log(n - k, 1 - nearest)


def _log(count: int, share: float) -> float:
    """`count * log(share)`; 0 if the count is 0."""
    return 0.0 if count == 0 else count * (math.log(share) if share > 0 else -math.inf)
