"""Measures of convergence: how far the fast answers agree.

A measure is a value with a direction; the gate is a measure with a threshold. Add one by writing a function of the
`Evidence` and handing `Measure(...)` to `build_graph`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from egrm_graph.uncertainty.agreement import certaindex, consensus, order_disagreement, vote_entropy
from egrm_graph.uncertainty.confidence import (
    deepconf_consensus,
    deepconf_lowest,
    deepconf_mean,
    deepconf_tail,
    self_certainty,
)
from egrm_graph.uncertainty.entropy import (
    label_entropy,
    label_margin,
    semantic_entropy,
    token_entropy,
    weighted_semantic_entropy,
)
from egrm_graph.uncertainty.evidence import Evidence

Need = Literal["logprobs", "top_logprobs", "readings", "orders"]
"""What is not there at all times: the log-probabilities of a sample's tokens, and of the likeliest tokens beside each;
readings of the labels' probabilities; candidates in more than one order."""


@dataclass(frozen=True)
class Measure:
    """One way to measure convergence."""

    name: str
    value: Callable[[Evidence], float]
    """The measure itself; it is only asked where at least one voter was drawn. NaN where what it needs is missing."""
    threshold: float
    """The published threshold, or the one that means the same; infinite where there is none, for values lie elsewhere
    with every model: then the settings have to say one."""
    higher_is_certain: bool
    """The measure's direction."""
    needs: tuple[Need, ...] = ()
    """What there has to be beside the answers."""

    def certain(self, value: float, threshold: float) -> bool:
        """Whether the gate opens the short way; a value exactly on the threshold counts as certain."""
        slack = 1e-9  # 4/5 and 0.8 are the same number to the user, if not to the machine
        return value >= threshold - slack if self.higher_is_certain else value <= threshold + slack

    def measured(self, evidence: Evidence) -> float | None:
        """The value; None where nothing could be measured."""
        value = self.value(evidence) if evidence.votes.total else math.nan
        return value if math.isfinite(value) else None

    def logprobs(self, top_logprobs: int) -> int:
        """How many of each position's likeliest tokens to ask for, where the settings say `top_logprobs`."""
        if "top_logprobs" in self.needs:
            return top_logprobs
        return 1 if "logprobs" in self.needs else 0


@dataclass(frozen=True)
class Gate:
    """A measure and its threshold."""

    measure: Measure
    threshold: float

    def certain(self, evidence: Evidence) -> bool:
        """Whether the direct route is taken: not where nothing could be measured, or there is no answer to give."""
        value = self.measure.measured(evidence)
        return evidence.votes.top is not None and value is not None and self.measure.certain(value, self.threshold)

    def margin(self, value: float | None) -> float | None:
        """How far the value is on the certain side of the threshold, in the measure's units; negative where it is on
        the other, None where one of the two is no number."""
        if value is None or not math.isfinite(self.threshold):
            return None
        return value - self.threshold if self.measure.higher_is_certain else self.threshold - value


# Four of five, or 0.8 and 0.2: what the published threshold of the consensus comes to.
_FOUR_OF_FIVE_NATS = 0.51  # 0.8 log 1/0.8 + 0.2 log 1/0.2 = 0.5004
MEASURES = {
    measure.name: measure
    for measure in (
        Measure("consensus", consensus, threshold=0.8, higher_is_certain=True),
        Measure("vote_entropy", vote_entropy, threshold=0.32, higher_is_certain=False),  # 0.5004 / log 5 = 0.311
        Measure("certaindex", certaindex, threshold=0.68, higher_is_certain=True),
        Measure("semantic_entropy", semantic_entropy, threshold=_FOUR_OF_FIVE_NATS, higher_is_certain=False),
        Measure("weighted_semantic_entropy", weighted_semantic_entropy, _FOUR_OF_FIVE_NATS, False, ("logprobs",)),
        Measure("token_entropy", token_entropy, -math.inf, False, ("top_logprobs",)),
        Measure("self_certainty", self_certainty, math.inf, True, ("top_logprobs",)),
        Measure("deepconf_mean", deepconf_mean, math.inf, True, ("top_logprobs",)),
        Measure("deepconf_tail", deepconf_tail, math.inf, True, ("top_logprobs",)),
        Measure("deepconf_lowest", deepconf_lowest, math.inf, True, ("top_logprobs",)),
        Measure("deepconf_consensus", deepconf_consensus, 0.95, True, ("top_logprobs",)),
        Measure("label_entropy", label_entropy, _FOUR_OF_FIVE_NATS, False, ("readings",)),
        Measure("label_margin", label_margin, 0.6, True, ("readings",)),
        Measure("order_disagreement", order_disagreement, 0.2, False, ("orders",)),
    )
}
