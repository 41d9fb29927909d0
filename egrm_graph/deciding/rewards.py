"""From verdicts to rewards: the estimated probability of each outcome.

Every piece of evidence is a distribution over the outcomes, which are the candidates that were shown and, where the
model may say so, a tie; or the grades of a scale:

- a vote puts all of it on what was voted for;
- a reading of label probabilities is one already, and counts as the votes that it stands for;
- a path with the score s puts s on its verdict and spreads 1 - s evenly over the other outcomes; without a scorer it is
  a vote.

The share of an outcome is the mean over the orders in which the candidates were shown, of the mean over the evidence
that there is in each. So every order counts alike, and a verdict that was lost in one of them does not let a judge's
liking for a place decide. Where only the contested candidates were reasoned
about, the paths share out what the fast verdicts left for those; the others keep their share of the fast verdicts. So
the shares always add up to one. A share is an estimate, and is not calibrated.

A candidate's reward is its outcome's share. A grade's reward is the mean of the scale, from 0 at its lowest grade to 1
at its highest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

Shares = Mapping[str, float]


class Evidence(NamedTuple):
    """One piece of evidence, the order of the candidates that it was found in, and how many verdicts it stands for."""

    shares: Shares
    order: tuple[str, ...] = ()
    weight: float = 1.0


def vote(outcome: str) -> Shares:
    """The evidence of a verdict alone."""
    return {outcome: 1.0}


def scored_vote(outcome: str, score: float, outcomes: Sequence[str]) -> Shares:
    """The evidence of a path's verdict among these outcomes, where the path is right with probability `score`."""
    others = [other for other in outcomes if other != outcome]
    return {outcome: score if others else 1.0, **{other: (1 - score) / len(others) for other in others}}


def mean(evidence: Sequence[Evidence]) -> dict[str, float]:
    """The mean over the orders of each order's own mean; empty where there is no evidence."""
    orders: dict[tuple[str, ...], list[tuple[Shares, float]]] = {}
    for each in evidence:
        orders.setdefault(each.order, []).append((each.shares, each.weight))
    return _mean([(_mean(found), 1.0) for found in orders.values()])


def _mean(evidence: Sequence[tuple[Shares, float]]) -> dict[str, float]:
    total = sum(weight for _, weight in evidence)
    sums: dict[str, float] = {}
    for each, weight in evidence:
        for outcome, share in each.items():
            sums[outcome] = sums.get(outcome, 0.0) + share * weight
    return {outcome: weighed / total for outcome, weighed in sums.items()}


def shared_out(fast: Shares, paths: Shares, reasoned: Collection[str]) -> dict[str, float]:
    """The others' own shares, and of what they leave the paths' shares of the outcomes that were reasoned about."""
    kept = {outcome: share for outcome, share in fast.items() if outcome not in reasoned}
    left = 1.0 - sum(kept.values())
    return {**kept, **{outcome: share * left for outcome, share in paths.items()}}


def grade_reward(shares: Shares, grades: Sequence[str]) -> float:
    """The mean grade, from 0 at the lowest to 1 at the highest; `grades` are in order and evenly spaced."""
    return sum(share * grades.index(grade) / (len(grades) - 1) for grade, share in shares.items())
