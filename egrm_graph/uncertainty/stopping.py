"""Stopping rules: whether the fast answers, or the reasoning paths, drawn so far are enough.

A rule is a pure function of what was drawn, in the order of the draws' seeds and not of their arrival, so the same
seeds always stop at the same place. It is called between waves. To add your own, write a function of the `Standing` and
pass it to `build_graph(stopping_rules=[...])`; the settings `stopping` and `path_stopping` name it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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
"""The probability at which Adaptive-Consistency and the sequential test stop."""
WINDOW = 5
"""Votes in a window, as published for ESC."""
LEADING = 0.8
"""How often the leading of two answers is drawn, under the hypotheses of the sequential test."""
MONOTONE = (consensus, vote_entropy, certaindex, semantic_entropy)
"""Measures of the votes alone that never become less certain when a vote moves to a larger class."""
MAX_COMPLETIONS = 10_000
"""How many ways to complete the votes are tried, for a measure that may not be monotone."""
SURELY = 1e-6
"""A score this close to 0 or 1 counts as this far away from it. No single path is ever certain."""


@dataclass(frozen=True)
class Standing:
    """The votes so far: those of the fast answers, or those of the paths."""

    classes: tuple[int | None, ...]
    """The number of each vote's class, in the order of the seeds; None for a lost one."""
    planned: int
    """How many votes there are if all are drawn (M)."""
    scores: tuple[float | None, ...] = ()
    """The score of each path, in [0, 1]; None for a path without one. Empty for fast answers."""

    @property
    def left(self) -> int:
        return self.planned - len(self.classes)

    @property
    def counts(self) -> list[int]:
        """The votes of each class, in the order in which the classes first appeared."""
        return list(Counter(number for number in self.classes if number is not None).values())

    @property
    def lost(self) -> int:
        return self.classes.count(None)


StoppingRule = Callable[[Standing], bool]


def everything(standing: Standing) -> bool:  # noqa: ARG001 - a rule
    """Never stops early."""
    return False


def decided(measure: Measure, threshold: float) -> StoppingRule:
    """Stops as soon as all M votes must lead to the same route and, on the direct route, the same answer, whatever the
    remaining votes are; and no later.

    For a measure in `MONOTONE`, the most certain completion gives all remaining votes to the leader, the least certain
    one loses them, and every other one lies in between. Any other measure is computed for every completion, if there
    are at most `MAX_COMPLETIONS`. For a measure that uses more than the number of votes of each answer, nothing is
    decided before all are drawn.
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
        """Whether every completion takes the direct route (True) or none does (False); None if that is open."""
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
"""Every run uses the rule, and what it computes about completions holds for all of them."""


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
    """ESC: a window of five consecutive votes is unanimous. A window with a lost vote is not.

    Source: Li et al. 2024, arXiv:2401.10480.
    """
    starts = range(0, len(standing.classes) - WINDOW + 1, WINDOW)
    drawn = [set(standing.classes[start : start + WINDOW]) for start in starts]
    return any(len(window) == 1 and None not in window for window in drawn)


def sequential(standing: Standing) -> bool:
    """Wald's sequential probability ratio test between two labels. The hypotheses: one label is drawn four times out of
    five, or the other one is. Each vote moves the log-odds by log 4, and 0.95 for either hypothesis is enough: a lead
    of three votes.

    With two labels, the error is at most 0.05 / 0.95. With more, the test compares the two leading ones and guarantees
    nothing. Lost votes do not count.
    Source: Wald 1945, Sequential tests of statistical hypotheses.
    """
    a, b = _two_leading(standing)
    log_odds = (a - b) * math.log(LEADING / (1 - LEADING))
    return log_odds >= math.log(ENOUGH / (1 - ENOUGH))


def posterior(confidence: float) -> StoppingRule:
    """Stops once one answer of the paths is right with at least this probability; never without a score.

    Needs calibrated scores: the score of a path is the probability that its answer is right. Lost and unscored paths
    say nothing.
    """

    def rule(standing: Standing) -> bool:
        by_class: dict[int, list[float]] = {}
        for number, score in zip(standing.classes, standing.scores, strict=False):
            if number is not None and score is not None:
                by_class.setdefault(number, []).append(score)
        return bool(by_class) and exclusive(list(by_class.values())) >= confidence

    return rule


def exclusive(scores: Sequence[Sequence[float]]) -> float:
    """The probability of the likeliest answer if at most one of the answers is right; `scores` has those of each
    answer's paths.

    Given that, either all paths of one answer are right and all others are wrong, or all are wrong. With the paths
    otherwise independent, an answer has the odds `prod s / (1 - s)` over its paths against "none is right".
    """
    log_odds = [math.fsum(_log_odds(score) for score in of_answer) for of_answer in scores]
    most = max(0.0, *log_odds)
    total = math.exp(-most) + math.fsum(math.exp(each - most) for each in log_odds)
    return math.exp(max(log_odds) - most) / total


def _log_odds(score: float) -> float:
    score = min(max(score, SURELY), 1 - SURELY)
    return math.log(score / (1 - score))


def _two_leading(standing: Standing) -> tuple[int, int]:
    a, b, *_ = *sorted(standing.counts, reverse=True), 0, 0
    return a, b


def _certain(measure: Measure, threshold: float, counts: tuple[int, ...], lost: int) -> bool | None:
    """Whether the gate takes the direct route for these votes; never without an answer. None if the measure requires
    more than these numbers."""
    if not counts:
        return False
    try:
        value = measure.measured(_CountsOnly(_Counts((), counts, lost)))
    except Exception:  # for votes that were never cast, an error only means that the measure cannot decide
        return None
    return value is not None and measure.certain(value, threshold)


class _SeesMoreError(Exception):
    """A measure used more than the numbers of votes."""


class _Counts(Votes):
    """Votes for answers that are not known yet."""

    def __getattribute__(self, name: str) -> Any:
        if name == "answers":
            raise _SeesMoreError
        return super().__getattribute__(name)


class _CountsOnly(Evidence):
    """Evidence that consists only of the numbers of votes."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("classes", "samples", "readings"):
            raise _SeesMoreError
        return super().__getattribute__(name)


def _completions(counts: tuple[int, ...], left: int, lost: int) -> list[tuple[tuple[int, ...], int]] | None:
    """Every way the votes can end: how many each answer has, the most first, and how many are lost. None if there are
    too many to try."""
    if math.comb(len(counts) + 1 + left, left) > MAX_COMPLETIONS:
        return None
    ends = list(islice(_ends(counts, left, lost), MAX_COMPLETIONS + 1))
    return None if len(ends) > MAX_COMPLETIONS else ends


def _ends(counts: tuple[int, ...], left: int, lost: int) -> Iterator[tuple[tuple[int, ...], int]]:
    no_answer, new_answer = len(counts), len(counts) + 1
    for drawn in combinations_with_replacement(range(len(counts) + 2), left):
        added = Counter(drawn)
        known = [count + added[i] for i, count in enumerate(counts)]
        for new in partitions(added[new_answer], added[new_answer]):
            yield tuple(sorted([*known, *new], reverse=True)), lost + added[no_answer]


def _settled(counts: list[int], left: int) -> bool:
    """Whether no other answer can lead at the end. Among equals, the one drawn first leads."""
    if not counts:
        return False
    most = max(counts)
    leader = counts.index(most)
    overtaken = any(count + left > most - (i < leader) for i, count in enumerate(counts) if i != leader)
    return left <= most and not overtaken


VOTE_RULES: Mapping[str, StoppingRule] = {"beta": beta, "windows": windows, "sequential": sequential}
"""The built-in rules that count each vote as independent of the others."""
STOPPING_RULES: Mapping[str, StoppingRule | None] = {
    "decided": None,  # made for the gate of the run, by `decided`
    **VOTE_RULES,
    "all": everything,
}
"""The built-in rules for fast answers, by name."""
PATH_STOPPING_RULES: Mapping[str, StoppingRule | None] = {
    "posterior": None,  # made for the setting `path_confidence`, by `posterior`
    **VOTE_RULES,
    "all": everything,
}
"""The built-in rules for paths, by name."""


def stopping_rule(name: str, gate: Gate, own: Mapping[str, StoppingRule] = {}) -> StoppingRule:
    """The rule for fast answers of that name, one of your `own` or built in, for this gate.

    Raises:
        SettingsError: there is no such rule, or it is for paths only.
    """
    if name == "posterior":
        raise SettingsError(
            "stopping='posterior' weighs the scores of paths, and fast answers have none; set path_stopping to it, and "
            "stopping to another rule, such as 'decided'"
        )
    return _known(name, {**STOPPING_RULES, **own}) or decided(gate.measure, gate.threshold)


def path_stopping_rule(name: str, confidence: float, own: Mapping[str, StoppingRule] = {}) -> StoppingRule:
    """The rule for paths of that name, one of your `own` or built in. `posterior` stops at this confidence.

    Raises:
        SettingsError: there is no such rule, or it is for fast answers only.
    """
    if name == "decided":
        raise SettingsError(
            "path_stopping='decided' is about the gate, which only fast answers pass; set path_stopping to another "
            "rule, such as 'posterior' or 'all'"
        )
    return _known(name, {**PATH_STOPPING_RULES, **own}) or posterior(confidence)


def _known(name: str, rules: Mapping[str, StoppingRule | None]) -> StoppingRule | None:
    if name not in rules:
        raise SettingsError(f"unknown stopping rule {name!r}; known rules are {', '.join(rules)}")
    return rules[name]
