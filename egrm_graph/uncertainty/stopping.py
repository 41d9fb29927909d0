"""Stopping rules: whether the votes so far are enough.

A rule is a pure function of the votes so far, in the order of their seeds, whatever the order in which they came in; so
the same seeds always stop at the same place. It is asked between the waves in which fast answers are drawn.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement, islice
from typing import Any

from egrm_graph.errors import SettingsError
from egrm_graph.uncertainty.agreement import certaindex, consensus, vote_entropy
from egrm_graph.uncertainty.entropy import semantic_entropy
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import Gate, Measure
from egrm_graph.uncertainty.votes import Votes, partitions

ENOUGH = 0.95
"""The probability at which Adaptive-Consistency stops, and the sequential test's of being right."""
WINDOW = 5
"""Votes in a window, as published with ESC."""
LEADING = 0.8
"""How often the leading of two answers is drawn, by the sequential test's hypotheses."""
MONOTONE = (consensus, vote_entropy, certaindex, semantic_entropy)
"""Measures of the votes alone that never get less certain when a vote moves to a larger class."""
COMPLETIONS_MOST = 10_000
"""How many ways to complete the votes are tried, for a measure that may not be monotone."""


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


StoppingRule = Callable[[Standing], bool]


def everything(standing: Standing) -> bool:  # noqa: ARG001 - a rule
    """Never stops early."""
    return False


def decided(measure: Measure, threshold: float) -> StoppingRule:
    """Stops as soon as all M votes must lead to the same route and, on the direct one, the same answer, whatever the
    others are; and no later.

    For a measure in `MONOTONE` the most certain completion of the votes gives all that are left to the leader, the
    least certain loses them, and every other one lies between the two. Any other measure is asked about every
    completion, if there are at most `COMPLETIONS_MOST`. For a measure that sees more than how many votes each answer
    has, nothing is decided before all are drawn.
    """
    try:
        hash(measure)
    except TypeError:  # its function may be any callable
        return _decided(measure, threshold)
    return _remembered(measure, threshold)


def _decided(measure: Measure, threshold: float) -> StoppingRule:
    def certain(counts: tuple[int, ...], lost: int) -> bool | None:
        return _certain(measure, threshold, counts, lost)

    @lru_cache(maxsize=4096)
    def is_direct(counts: tuple[int, ...], left: int, lost: int) -> bool | None:
        """Whether every completion takes the direct route (True) or none does (False); None where that is open."""
        most = certain((*([counts[0] + left, *counts[1:]] if counts else [left] * (left > 0)),), lost)
        if most is None or certain(counts, lost + left) is not most:
            return None
        if measure.value not in MONOTONE:
            ends = _completions(counts, left, lost)
            if ends is None or any(certain(*end) is not most for end in ends):
                return None
        return most

    def rule(standing: Standing) -> bool:
        direct = is_direct(tuple(sorted(standing.counts, reverse=True)), standing.left, standing.lost)
        return direct is False or (direct is True and _settled(standing.counts, standing.left))

    return rule


_remembered = lru_cache(maxsize=64)(_decided)
"""Every run asks for the rule, and what it finds out about completions holds for all of them."""


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


def _certain(measure: Measure, threshold: float, counts: tuple[int, ...], lost: int) -> bool | None:
    """Whether the gate takes the direct route for these votes; never without an answer. None where the measure needs
    more than these numbers."""
    if not counts:
        return False
    try:
        value = measure.measured(_CountsOnly(_Counts((), counts, lost)))
    except Exception:  # of votes that were never cast, an error says only that the measure cannot tell
        return None
    return value is not None and measure.certain(value, threshold)


class _SeesMoreError(Exception):
    """A measure looked at more than the numbers of votes."""


class _Counts(Votes):
    """Votes for answers that nobody knows yet."""

    def __getattribute__(self, name: str) -> Any:
        if name == "answers":
            raise _SeesMoreError
        return super().__getattribute__(name)


class _CountsOnly(Evidence):
    """Evidence of which only the numbers of votes are known."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("classes", "samples", "readings"):
            raise _SeesMoreError
        return super().__getattribute__(name)


def _completions(counts: tuple[int, ...], left: int, lost: int) -> list[tuple[tuple[int, ...], int]] | None:
    """Every way the votes can come out: how many each answer has, most first, and how many are lost. None where there
    are too many to try."""
    if math.comb(len(counts) + 1 + left, left) > COMPLETIONS_MOST:
        return None
    ends = list(islice(_ends(counts, left, lost), COMPLETIONS_MOST + 1))
    return None if len(ends) > COMPLETIONS_MOST else ends


def _ends(counts: tuple[int, ...], left: int, lost: int) -> Iterator[tuple[tuple[int, ...], int]]:
    no_answer, new_answer = len(counts), len(counts) + 1
    for drawn in combinations_with_replacement(range(len(counts) + 2), left):
        given = Counter(drawn)
        known = [count + given[i] for i, count in enumerate(counts)]
        for new in partitions(given[new_answer], given[new_answer]):
            yield tuple(sorted([*known, *new], reverse=True)), lost + given[no_answer]


def _settled(counts: list[int], left: int) -> bool:
    """Whether no other answer can lead in the end. Of equals the one drawn first leads."""
    if not counts:
        return False
    most = max(counts)
    leader = counts.index(most)
    overtaken = any(count + left > most - (i < leader) for i, count in enumerate(counts) if i != leader)
    return left <= most and not overtaken


STOPPING_RULES: Mapping[str, StoppingRule | None] = {
    "decided": None,  # made for the gate of the run, by `decided`
    "beta": beta,
    "windows": windows,
    "sequential": sequential,
    "all": everything,
}
"""The built-in rules by name."""


def stopping_rule(name: str, gate: Gate, own: Mapping[str, StoppingRule] = {}) -> StoppingRule:
    """The rule of that name, one of your `own` or built in, for this gate.

    Raises:
        SettingsError: there is no such rule.
    """
    rules = {**STOPPING_RULES, **own}
    if name not in rules:
        raise SettingsError(f"unknown stopping rule {name!r}; known rules are {', '.join(rules)}")
    return rules[name] or decided(gate.measure, gate.threshold)
