"""Measures of agreement among the answers. They need nothing but the answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean

from egrm_graph.uncertainty.evidence import Evidence


def consensus(evidence: Evidence) -> float:
    """The share of all voters that gave the most frequent answer, in [0, 1]; higher is more certain.

    Source: E-GRM, arXiv:2604.10072. Differs: a lost voter stays in the denominator.
    """
    votes = evidence.votes
    return (votes.counts[0] if votes.counts else 0) / votes.total


def vote_entropy(evidence: Evidence) -> float:
    """The entropy of the votes over its largest possible value, in [0, 1]; higher is less certain.

    The largest value is log M for M voters or, if probabilities of K > M answers were read, log K. A lost voter agrees
    with nobody, so each one is a class of its own. A single voter has entropy 0, or 1 if it is lost.
    """
    votes = evidence.votes
    if not votes.counts:
        return 1.0
    classes = max(round(votes.total), len(votes.counts) + votes.lost)
    return min(1.0, entropy_nats(vote_shares(evidence)) / math.log(classes)) if classes > 1 else 0.0


def certaindex(evidence: Evidence) -> float:
    """One minus the vote entropy, `(log M - H) / log M`, in [0, 1]; higher is more certain.

    Source: Fu et al. 2024 (Dynasor), arXiv:2412.20993. Differs: each lost voter is a class of its own.
    """
    return 1.0 - vote_entropy(evidence)


def order_disagreement(evidence: Evidence) -> float:
    """How far the votes in one order of the candidates are from those in another, in [0, 1]; higher is less certain.

    The mean over all pairs of orders of the total variation distance: the share of the votes that would have to
    change. A lost voter agrees with nobody in another order. NaN if fewer than two orders were shown. Orders that are
    equally split agree, so this measure alone says nothing about convergence.
    """
    orders = _shares_by_order(evidence)
    if len(orders) < 2:
        return math.nan
    return fmean(_distance(one, other) for one, other in combinations(orders, 2))


def vote_shares(evidence: Evidence) -> list[float]:
    """Each class's share of all votes; each lost voter is a class of its own."""
    votes = evidence.votes
    return [count / votes.total for count in votes.counts] + [1 / votes.total] * votes.lost


def entropy_nats(shares: Sequence[float]) -> float:
    """`-sum p log p` of shares that add up to one."""
    return math.fsum(-share * math.log(share) for share in shares if share)


def _shares_by_order(evidence: Evidence) -> list[dict[str, float]]:
    """For each order, the votes for each outcome as shares of all its voters. They add up to less than one if some are
    lost."""
    counts: dict[tuple[str, ...], dict[str, float]] = {}
    totals: dict[tuple[str, ...], float] = {}
    for order, voters, votes in _ballots(evidence):
        counted = counts.setdefault(order, {})
        totals[order] = totals.get(order, 0.0) + voters
        for answer, n in votes.items():
            counted[answer] = counted.get(answer, 0.0) + n
    return [{answer: n / totals[order] for answer, n in counted.items()} for order, counted in counts.items()]


def _ballots(evidence: Evidence) -> list[tuple[tuple[str, ...], int, Mapping[str, float]]]:
    """The order, the number of voters, and their votes."""
    drawn = [
        (tuple(sample["order"]), 1, {} if place is None else {evidence.votes.answers[place]: 1.0})
        for sample, place in zip(evidence.samples, evidence.classes, strict=True)
    ]
    read = [
        (
            tuple(reading["order"]),
            reading["samples"],
            {answer: share * reading["samples"] for answer, share in (reading["probabilities"] or {}).items()},
        )
        for reading in evidence.readings
    ]
    return [ballot for ballot in drawn + read if ballot[0]]


def _distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The total variation distance; what is missing from either was lost."""
    apart = math.fsum(abs(one.get(answer, 0.0) - other.get(answer, 0.0)) for answer in sorted({*one, *other}))
    lost = (1 - math.fsum(one.values())) + (1 - math.fsum(other.values()))
    return (apart + lost) / 2
