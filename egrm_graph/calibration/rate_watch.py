"""Whether the share of direct questions still is what it was when the gate was calibrated."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

from egrm_graph.runtime.forking import call_in_children

FALSE_ALARM = 0.005
"""With the interval's own 0.005, a gate that still is what it was warns once in a hundred streams, however long."""


@dataclass
class RateWatch:
    """Counts questions as they come, and tells once when their share of direct ones leaves `between` beyond chance.

    Method: the likelihood of the stream under a Beta(1/2, 1/2) mixture of all shares, over its largest likelihood
    under a share in `between`, is at most a martingale that starts at 1 for the true share; by Ville's inequality it
    ever reaches 1 / FALSE_ALARM with at most that probability, so that looking at every question costs nothing.

    Source: Robbins 1970 (mixtures); Howard et al. 2021, arXiv:1810.08240.
    """

    between: tuple[float, float]
    n: int = 0
    n_direct: int = 0
    told: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __post_init__(self) -> None:
        call_in_children(self._unlock)

    def saw(self, *, direct: bool) -> bool:
        """Counts one more question; True the one time that the share has departed."""
        with self._lock:
            self.n += 1
            self.n_direct += direct
            if self.told or self.log_evidence() < -math.log(FALSE_ALARM):
                return False
            self.told = True
            return True

    def _unlock(self) -> None:
        """In a forked child: the thread that holds the lock may not be there."""
        self._lock = threading.Lock()

    def log_evidence(self) -> float:
        """The logarithm of the ratio, of the questions so far."""
        k, n = self.n_direct, self.n
        low, high = self.between
        nearest = min(max(k / n if n else low, low), high)
        mixture = math.lgamma(k + 0.5) + math.lgamma(n - k + 0.5) - math.lgamma(n + 1) - math.log(math.pi)
        return mixture - _log(k, nearest) - _log(n - k, 1 - nearest)


def _log(count: int, share: float) -> float:
    """`count * log(share)`, of nothing nothing."""
    return 0.0 if count == 0 else count * (math.log(share) if share > 0 else -math.inf)
