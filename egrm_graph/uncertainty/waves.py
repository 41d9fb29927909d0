"""How many fast answers are drawn at once, between two questions to a stopping rule.

Waves wait for one another, so each costs a round trip: there should be few of them, and each should end where the rule
may stop.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise

from egrm_graph.uncertainty.stopping import Standing, StopRule


def wave_sizes(rule: StopRule, planned: int, waves: int) -> tuple[int, ...]:
    """The sizes of at most `waves` waves, which add up to `planned`.

    The first of two ends where the rule may stop if all agree, so that an easy question costs one round trip; of three,
    there is one before it that ends where the rule may stop if no two agree. Further ones halve the widest. Where the
    rule cannot stop before the end, all are drawn in one.
    """
    agreeing = _first(rule, planned, lambda n: (0,) * n)
    differing = _first(rule, planned, lambda n: tuple(range(n)))
    ends = {planned}
    if waves >= 2:
        ends.add(agreeing)
    if waves >= 3:
        ends.add(differing)
    while min(agreeing, differing) < planned and waves >= 3 and len(ends) < min(waves, planned):
        ordered = [0, *sorted(ends)]
        size, start = max((end - start, -start) for start, end in pairwise(ordered))
        ends.add(-start + (size + 1) // 2)
    ordered = [0, *sorted(ends)]
    return tuple(end - start for start, end in pairwise(ordered))


def _first(rule: StopRule, planned: int, classes: Callable[[int], tuple[int, ...]]) -> int:
    """The least number of such votes that the rule stops at; `planned` where there is none. A rule that stops at such
    votes stops at more of them, too."""
    return 1 + bisect_left(range(1, planned), True, key=lambda n: rule(Standing(classes(n), planned)))
