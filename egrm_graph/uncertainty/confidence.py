"""Confidences: how peaked the model's distributions are at the tokens of its answers. Higher is more certain.

Each is computed for a text from its `top_logprobs`, of shape (T, k) with the largest first, and averaged over the
voters. A voter without an answer or without log-probabilities is lost: it adds nothing and stays in the denominator.
NaN if all voters are lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from egrm_graph.uncertainty.evidence import FLOOR_NATS, Evidence

GROUP = 3
"""Tokens in a group and in the tail of a text; fast answers have few."""

Tops = Sequence[Sequence[float]]


def self_certainty(evidence: Evidence) -> float:
    """The mean over tokens of KL(uniform, p), in nats, at least 0.

    Source: Kang et al. 2025, arXiv:2502.18581. Differs: computed over the k listed tokens, normalized to add up to one,
    instead of the vocabulary. If k is the size of the vocabulary, the two are equal.
    """
    return _over_voters(evidence, text_self_certainty)


def deepconf_mean(evidence: Evidence) -> float:
    """The mean over all tokens of the token confidence, in nats, at least 0.

    Source: Fu et al. 2025 (DeepConf, average trace confidence), arXiv:2508.15260.
    """
    return _over_voters(evidence, mean_confidence)


def deepconf_tail(evidence: Evidence) -> float:
    """The mean over the last tokens, in nats, at least 0.

    Source: as `deepconf_mean` (tail confidence). Differs: the tail has 3 tokens, and 2,048 in the paper.
    """
    return _over_voters(evidence, tail_confidence)


def deepconf_lowest(evidence: Evidence) -> float:
    """The mean over the least confident group of adjacent tokens, in nats, at least 0.

    Source: as `deepconf_mean` (lowest group confidence). Differs: a group has 3 tokens, and 1,024 or 2,048 in the
    paper.
    """
    return _over_voters(evidence, lowest_group_confidence)


def deepconf_consensus(evidence: Evidence) -> float:
    """The consensus of votes weighted by the mean confidence of their text, in [0, 1].

    Source: as `deepconf_mean` (online adaptive sampling, threshold 0.95). Differs: the share is that of the most
    frequent answer, which is the one the graph gives, and the smallest among equally frequent ones. It is multiplied by
    the share of voters that are not lost.
    """
    weights = [(mean_confidence(top), place) for top, place in _voices(evidence)]
    total = math.fsum(weight for weight, _ in weights)
    if total <= 0:
        return math.nan
    counts = evidence.votes.counts
    leading = [place for place, count in enumerate(counts) if count == counts[0]]
    least = min(math.fsum(weight for weight, place in weights if place == each) for each in leading)
    return least / total * len(weights) / len(evidence.samples)


def token_confidences(tops: Tops) -> list[float]:
    """For each position, the mean of `-log p` over the k likeliest tokens, in nats. The paper uses k = 20."""
    return [-fmean(max(value, FLOOR_NATS) for value in top) for top in tops]


def mean_confidence(tops: Tops) -> float:
    """The mean over a text."""
    return fmean(token_confidences(tops))


def tail_confidence(tops: Tops, tokens: int = GROUP) -> float:
    """The mean over the last tokens."""
    return fmean(token_confidences(tops[-tokens:]))


def lowest_group_confidence(tops: Tops, tokens: int = GROUP) -> float:
    """The mean over the least confident group of that many adjacent tokens; a shorter text is one group."""
    each = token_confidences(tops)
    starts = range(max(1, len(each) - tokens + 1))
    return min(fmean(each[start : start + tokens]) for start in starts)


def text_self_certainty(tops: Tops) -> float:
    """The mean over positions of KL(uniform, p), over the listed tokens, in nats."""
    return fmean(_divergence(top) for top in tops)


def _divergence(top: Sequence[float]) -> float:
    floored = [max(value, FLOOR_NATS) for value in top]
    log_total = math.log(math.fsum(map(math.exp, floored)))
    return max(0.0, log_total - math.log(len(floored)) - fmean(floored))


def _voices(evidence: Evidence) -> list[tuple[Tops, int]]:
    """The log-probabilities of each voter that has any, and the class of its answer."""
    return [
        (sample["top_logprobs"], place)
        for sample, place in zip(evidence.samples, evidence.classes, strict=True)
        if place is not None and sample["top_logprobs"]
    ]


def _over_voters(evidence: Evidence, of: Callable[[Tops], float]) -> float:
    voices = _voices(evidence)
    if not voices:
        return math.nan
    return math.fsum(of(tops) for tops, _ in voices) / len(evidence.samples)
