"""Stopping rules: whether the votes so far are enough.

A rule is a pure function of the votes so far, in the order of their seeds, whatever the order in which they came in; so
the same seeds always stop at the same place. It is asked between the waves in which fast answers are drawn.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from egrm_graph.settings import Stopping
from egrm_graph.uncertainty.agreement import consensus, vote_entropy
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import Gate, Measure
from egrm_graph.uncertainty.votes import Votes

ENOUGH = 0.95
"""The probability at which Adaptive-Consistency stops, and the sequential test's of being right."""
WINDOW = 5
"""Votes in a window, as published with ESC."""
LEADING = 0.8
"""How often the leading of two answers is drawn, by the sequential test's hypotheses."""
AGREEMENT = (consensus, vote_entropy)
"""Measures of the votes alone that never fall when a vote moves from a class to a larger one."""


@dataclass(frozen=True)
class Standing:
    """The votes so far."""

    classes: tuple[int | None, ...]
    """The number of each vote's class, in the order of the seeds; None for a lost one."""
    planned: int
    """How many votes there are if all are drawn (M)."""

    @property
    def left(self) -> int:
        return self.planned - len(self.classes)

    @property
    def counts(self) -> list[int]:
        """Votes of each class, in the order in which the classes were first drawn."""
        return list(Counter(each for each in self.classes if each is not None).values())

    @property
    def lost(self) -> int:
        return self.classes.count(None)


StopRule = Callable[[Standing], bool]


def stop_rule(name: Stopping, gate: Gate) -> StopRule:
    """The rule of that name, for this gate."""
    if name == "decided":
        return decided(gate.measure, gate.threshold)
    return {"all": everything, "beta": beta, "windows": windows, "sequential": sequential}[name]


def everything(standing: Standing) -> bool:  # noqa: ARG001 - a rule
    """Never stops early."""
    return False


def decided(measure: Measure, threshold: float) -> StopRule:
    """Stops as soon as all M votes must lead to the same route and, on the direct one, the same answer, whatever the
    others are; and no later.

    All of what is left for the leader is the most certain that the votes can become, and all of it lost the least
    certain: between the two lies every other end. That holds for the measures in `AGREEMENT`; for another one nothing
    is decided before all are drawn.
    """
    if measure.value not in AGREEMENT:
        return everything

    def rule(standing: Standing) -> bool:
        counts, left, lost = standing.counts, standing.left, standing.lost
        leader = max(counts, default=0)
        rest = sorted(counts, reverse=True)[1:]
        if not _certain(measure, threshold, [leader + left, *rest], lost):
            return True
        return _settled(counts, left) and _certain(measure, threshold, [leader, *rest], lost + left)

    return rule


def beta(standing: Standing) -> bool:
    """Adaptive-Consistency: the most frequent answer is likelier than the second with a probability of 0.95.

    With a and b votes for the two, that is `1 - I_0.5(a + 1, b + 1)` under a uniform prior; here as the sum of
    binomial terms that it is equal to. Lost votes say nothing.
    Source: Aggarwal et al. 2023, arXiv:2305.11860. Differs: asked after each wave.
    """
    a, b = _two_leading(standing)
    n = a + b + 1
    over = sum(math.comb(n, wins) for wins in range(a + 1, n + 1))
    return 1 - over / (1 << n) >= ENOUGH


def windows(standing: Standing) -> bool:
    """ESC: a whole window of five votes, one after the other, is unanimous. One with a lost vote is not.

    Source: Li et al. 2024, arXiv:2401.10480.
    """
    starts = range(0, len(standing.classes) - WINDOW + 1, WINDOW)
    drawn = [set(standing.classes[start : start + WINDOW]) for start in starts]
    return any(len(window) == 1 and None not in window for window in drawn)


def sequential(standing: Standing) -> bool:
    """Wald's sequential probability ratio test between two labels: one is drawn four times in five that either is,
    or the other one is. Each vote moves the log-odds by log 4, and 0.95 for either hypothesis is enough: a lead of
    three votes.

    For two labels the error is at most 0.05 / 0.95. Of more labels the two leading ones are taken, and then nothing is
    promised; lost votes say nothing.
    Source: Wald 1945, Sequential tests of statistical hypotheses.
    """
    a, b = _two_leading(standing)
    log_odds = (a - b) * math.log(LEADING / (1 - LEADING))
    return log_odds >= math.log(ENOUGH / (1 - ENOUGH))


def _two_leading(standing: Standing) -> tuple[int, int]:
    a, b, *_ = *sorted(standing.counts, reverse=True), 0, 0
    return a, b


def _certain(measure: Measure, threshold: float, counts: list[int], lost: int) -> bool:
    """Whether the gate opens the short way for these votes; never without an answer."""
    if not any(counts):
        return False
    votes = Votes(tuple(map(str, range(len(counts)))), tuple(counts), lost)
    return measure.certain(measure.value(Evidence(votes)), threshold)


def _settled(counts: list[int], left: int) -> bool:
    """Whether no other answer can lead in the end. Of equals the one drawn first leads."""
    if not counts:
        return False
    most = max(counts)
    leader = counts.index(most)
    overtaken = any(count + left > most - (i < leader) for i, count in enumerate(counts) if i != leader)
    return left <= most and not overtaken
