"""From verdicts to rewards: the estimated probability of each outcome.

Each piece of evidence is a distribution over the outcomes. The outcomes are the candidates that were shown and, if the
model may call one, a tie; or the grades of a scale.

- A vote puts all of it on its outcome.
- A reading of label probabilities is such a distribution already. It counts as many votes as it represents.
- A path with the score s puts s on its verdict and spreads 1 - s evenly over the other outcomes. Without a scorer it is
  a vote.

The share of an outcome is the mean over the orders of the candidates, of the mean over the evidence in each order. So
every order counts the same, and a verdict lost in one of them does not let a judge's preference for a position decide.
If only the contested candidates were reasoned about, the paths divide what the fast verdicts left for those; the others
keep their share of the fast verdicts. The shares always add up to one. A share is an estimate and is not calibrated.

A candidate's reward is the share of its outcome. A grade's reward is the mean of the scale, from 0 at the lowest grade
to 1 at the highest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

Shares = Mapping[str, float]


class OutcomeEvidence(NamedTuple):
    """One piece of evidence, the order of the candidates it comes from, and how many verdicts it represents."""

    shares: Shares
    order: tuple[str, ...] = ()
    weight: float = 1.0


def vote(outcome: str) -> Shares:
    """The evidence of a verdict without a score."""
    return {outcome: 1.0}


def scored_vote(outcome: str, score: float, outcomes: Sequence[str]) -> Shares:
    """The evidence of a path's verdict among these outcomes, if the path is right with probability `score`."""
    others = [other for other in outcomes if other != outcome]
    return {outcome: score if others else 1.0, **{other: (1 - score) / len(others) for other in others}}


def mean(evidence: Sequence[OutcomeEvidence]) -> dict[str, float]:
    """The mean over the orders of each order's mean; empty without evidence."""
    orders: dict[tuple[str, ...], list[tuple[Shares, float]]] = {}
    for piece in evidence:
        orders.setdefault(piece.order, []).append((piece.shares, piece.weight))
    return _mean([(_mean(found), 1.0) for found in orders.values()])


def _mean(evidence: Sequence[tuple[Shares, float]]) -> dict[str, float]:
    total = sum(weight for _, weight in evidence)
    sums: dict[str, float] = {}
    for shares, weight in evidence:
        for outcome, share in shares.items():
            sums[outcome] = sums.get(outcome, 0.0) + share * weight
    return {outcome: share_sum / total for outcome, share_sum in sums.items()}


def shared_out(fast: Shares, paths: Shares, reasoned: Collection[str]) -> dict[str, float]:
    """The outcomes that were not reasoned about keep their fast shares; the paths' shares divide the rest."""
    fast_only = {outcome: share for outcome, share in fast.items() if outcome not in reasoned}
    left = 1.0 - sum(fast_only.values())
    return {**fast_only, **{outcome: share * left for outcome, share in paths.items()}}


def grade_reward(shares: Shares, grades: Sequence[str]) -> float:
    """The mean grade, from 0 at the lowest to 1 at the highest; `grades` are in order and evenly spaced."""
    return sum(share * grades.index(grade) / (len(grades) - 1) for grade, share in shares.items())
