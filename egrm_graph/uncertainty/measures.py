"""Measures of convergence: how far the fast answers agree.

A measure is a value with a direction; the gate is a measure with a threshold. Add one by writing a function of the
`Evidence` and handing `Measure(...)` to `build_graph`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from egrm_graph.uncertainty.evidence import Evidence

Need = Literal["logprobs"]
"""What a client does not give at all times: log-probabilities of tokens."""


@dataclass(frozen=True)
class Measure:
    """One way to measure convergence."""

    name: str
    value: Callable[[Evidence], float]
    """The measure itself; it is only asked where at least one voter was drawn."""
    threshold: float
    """The published threshold, or the one that means the same."""
    higher_is_certain: bool
    """The measure's direction."""
    needs: tuple[Need, ...] = ()
    """What there has to be beside the answers."""

    def certain(self, value: float, threshold: float) -> bool:
        """Whether the gate opens the short way; a value exactly on the threshold counts as certain."""
        slack = 1e-9  # 4/5 and 0.8 are the same number to the user, if not to the machine
        return value >= threshold - slack if self.higher_is_certain else value <= threshold + slack


def consensus(evidence: Evidence) -> float:
    """The share of all voters that gave the most frequent answer, in [0, 1]; higher is more certain.

    Source: E-GRM, arXiv:2604.10072. Differs: a lost voter stays in the denominator.
    """
    votes = evidence.votes
    return (votes.counts[0] if votes.counts else 0) / votes.total


def vote_entropy(evidence: Evidence) -> float:
    """The entropy of the votes over its largest possible value `log M`, in [0, 1]; higher is less certain.

    A lost voter agrees with nobody, so each one is a class of its own. One voter alone has entropy 0.
    """
    votes = evidence.votes
    if votes.total == 1:
        return 0.0 if votes.counts else 1.0
    shares = [count / votes.total for count in votes.counts] + [1 / votes.total] * votes.lost
    return sum(-share * math.log(share) for share in shares) / math.log(votes.total)


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("consensus", consensus, threshold=0.8, higher_is_certain=True),
        # Four of five agree: (0.8 log 1/0.8 + 0.2 log 1/0.2) / log 5 = 0.311.
        Measure("vote_entropy", vote_entropy, threshold=0.32, higher_is_certain=False),
    )
}
