"""How many fast answers are drawn at once, between two calls of a stopping rule.

Waves wait for one another, so each costs a round trip. There should be few of them, the first should be enough for an
easy question, and each should end where the rule may stop.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise

from egrm_graph.uncertainty.stopping import Standing, StoppingRule


def wave_sizes(rule: StoppingRule, planned: int, waves: int) -> tuple[int, ...]:
    """The sizes of at most `waves` waves, which add up to `planned`.

    The first of two ends where the rule may stop if all agree. More waves halve what comes after it, which few
    questions reach; once that is drawn one by one, they cut the first. If the rule cannot stop before the end, or two
    waves would make every easy question wait for the second, all are drawn in one.
    """
    agreeing = _first(rule, planned, lambda n: (0,) * n)
    differing = _first(rule, planned, lambda n: tuple(range(n)))
    ends = {agreeing, planned} if waves > 1 else {planned}
    if waves > 2 and min(agreeing, differing) < planned:
        while len(ends) < min(waves, planned):
            ends.add(_next_end(ends, agreeing, differing))
    return tuple(end - start for start, end in pairwise([0, *sorted(ends)]))


def _next_end(ends: set[int], agreeing: int, differing: int) -> int:
    """Where to cut one more time."""
    waves = list(pairwise([0, *sorted(ends)]))
    later = [(start, end) for start, end in waves if start >= agreeing and end - start > 1]
    middle = (agreeing + differing) // 2
    if not later and middle < agreeing <= min(ends):
        return middle
    start, end = max(later or waves, key=lambda wave: wave[1] - wave[0])
    return start + (end - start) // 2


def _first(rule: StoppingRule, planned: int, classes: Callable[[int], tuple[int, ...]]) -> int:
    """The smallest number of such votes at which the rule stops; `planned` if it never does. A rule that stops at some
    such votes also stops at more of them."""
    return 1 + bisect_left(range(1, planned), True, key=lambda n: rule(Standing(classes(n), planned)))
