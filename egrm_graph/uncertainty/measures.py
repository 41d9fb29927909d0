"""Measures of convergence: how far the fast answers agree.

A measure is a value with a direction; the gate is a measure with a threshold. To add your own, write a function of the
`Evidence` and pass it, or a `Measure`, to `build_graph(measures=[...])`.
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

Requirement = Literal["logprobs", "top_logprobs", "readings", "orders"]
"""What is not always available: the log-probabilities of a sample's tokens; those of the likeliest tokens at each
position; readings of the labels' probabilities; candidates in several orders."""


@dataclass(frozen=True)
class Measure:
    """One way to measure convergence."""

    name: str
    value: Callable[[Evidence], float]
    """The measure itself, called only if at least one voter was drawn. NaN if something it requires is missing."""
    threshold: float
    """The published threshold, or an equivalent one. Infinite if there is none because values differ by model: then the
    settings have to give one."""
    higher_is_certain: bool
    """The measure's direction."""
    requires: tuple[Requirement, ...] = ()
    """What has to be available in addition to the answers."""
    for_questions: float | None = None
    """The threshold for questions, where another one than the published was better when measured. None for the same."""

    def default_threshold(self, *, judging: bool) -> float:
        """The threshold for candidates or for questions."""
        return self.threshold if judging or self.for_questions is None else self.for_questions

    def certain(self, value: float, threshold: float) -> bool:
        """Whether the gate takes the direct route; a value exactly at the threshold counts as certain."""
        slack = 1e-9  # 4/5 and 0.8 are the same number to the user, but not to the machine
        return value >= threshold - slack if self.higher_is_certain else value <= threshold + slack

    def measured(self, evidence: Evidence) -> float | None:
        """The value; None if nothing could be measured."""
        value = self.value(evidence) if evidence.votes.total else math.nan
        return value if math.isfinite(value) else None

    def logprobs(self, top_logprobs: int) -> int:
        """How many of the likeliest tokens to request at each position, given the setting `top_logprobs`."""
        if "top_logprobs" in self.requires:
            return top_logprobs
        return 1 if "logprobs" in self.requires else 0


@dataclass(frozen=True)
class Gate:
    """A measure and its threshold."""

    measure: Measure
    threshold: float

    def certain(self, evidence: Evidence) -> bool:
        """Whether to take the direct route: never if nothing could be measured, or no answer could be read."""
        value = self.measure.measured(evidence)
        return evidence.votes.top is not None and value is not None and self.measure.certain(value, self.threshold)

    def margin(self, value: float | None) -> float | None:
        """How far the value is on the certain side of the threshold, in the measure's units; negative on the other
        side, None if either is not a finite number."""
        if value is None or not math.isfinite(self.threshold):
            return None
        return value - self.threshold if self.measure.higher_is_certain else self.threshold - value


# The published consensus threshold, four of five, as a distribution: 0.8 and 0.2.
_FOUR_OF_FIVE_NATS = 0.51  # 0.8 log 1/0.8 + 0.2 log 1/0.2 = 0.5004
MEASURES = {
    measure.name: measure
    for measure in (
        # Of five answers, four have to agree, as published; on questions, all five.
        Measure("consensus", consensus, threshold=0.8, higher_is_certain=True, for_questions=0.9),
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
