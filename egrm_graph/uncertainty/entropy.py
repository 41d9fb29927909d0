"""Entropies: of the classes of equivalent answers, of labels, and of tokens of which only the k likeliest are known.

They are in nats; higher is less certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from egrm_graph.uncertainty.agreement import entropy_nats, vote_shares
from egrm_graph.uncertainty.evidence import FLOOR_NATS, Evidence

VOCABULARY_MOST = 262_144
"""No vocabulary of a model in wide use is larger; it enters the upper bound only, and there by its logarithm."""


def semantic_entropy(evidence: Evidence) -> float:
    """The entropy of the votes over classes of equivalent answers, in nats, in [0, log M] of M drawn answers.

    Source: Farquhar et al. 2024 (discrete semantic entropy), after Kuhn et al. 2023, arXiv:2302.09664. Differs: what is
    equivalent is the task's to say, and no entailment model's; each lost voter is a class of its own.
    """
    return entropy_nats(vote_shares(evidence))


def weighted_semantic_entropy(evidence: Evidence) -> float:
    """The same with every answer weighted by the likelihood of its text, length-normalized: the geometric mean of its
    tokens' probabilities. In nats, in [0, log M].

    A voter without an answer or without log-probabilities is lost: a class of its own, with the share 1 / M of one
    vote. NaN where all are.

    Source: Kuhn et al. 2023, arXiv:2302.09664, with the classes' probabilities made to add up to one as in Farquhar et
    al. 2024. As there, equal texts each count. Differs: the lost voters.
    """
    weights: dict[int, list[float]] = {}
    for sample, place in zip(evidence.samples, evidence.classes, strict=True):
        if place is not None and sample["logprobs"]:
            weights.setdefault(place, []).append(fmean(max(value, FLOOR_NATS) for value in sample["logprobs"]))
    voices = [value for values in weights.values() for value in values]
    if not voices:
        return math.nan
    voters = len(evidence.samples)
    # Weights are relative: against the largest one, the smallest cannot all become 0.
    largest = max(voices)
    total = math.fsum(math.exp(value - largest) for value in voices)
    heard = len(voices) / voters
    shares = [math.fsum(math.exp(v - largest) for v in values) / total * heard for values in weights.values()]
    return entropy_nats(shares + [1 / voters] * (voters - len(voices)))


def label_entropy(evidence: Evidence) -> float:
    """The entropy of the labels' probabilities, themselves averaged over the orders of the candidates, in nats, in
    [0, log K] of K labels.

    A lost reading is one that says nothing: it counts with log K. NaN where none was read.
    """
    votes = evidence.votes
    n_labels = max((len(each["probabilities"] or ()) for each in evidence.readings), default=0)
    read = votes.total - votes.lost
    if not n_labels or read <= 0:
        return math.nan
    shares = [count / read for count in votes.counts]
    return (entropy_nats(shares) * read + math.log(n_labels) * votes.lost) / votes.total


def label_margin(evidence: Evidence) -> float:
    """How far the likeliest label's probability is above the second's, both averaged over the orders of the candidates,
    in [0, 1]; higher is more certain.

    A lost reading stays in the denominator. NaN where none was read.
    """
    if not evidence.readings or not evidence.votes.counts:
        return math.nan
    first, second = (*evidence.votes.counts, 0.0)[:2]
    return (first - second) / evidence.votes.total


def token_entropy(evidence: Evidence) -> float:
    """The mean entropy of the tokens' distributions, over the tokens of a text and then over the voters, in nats.

    Of each distribution only the k likeliest tokens are known; the rest counts as one token, which is the lower end of
    `entropy_interval`. A lost voter's entropy is not known: NaN where any voter is.

    Source: the token entropy of EDU-PRM, arXiv:2503.22233. Differs: it is averaged, and taken of the top k.
    """
    return token_entropy_interval(evidence)[0]


def token_entropy_interval(evidence: Evidence, vocabulary: int = VOCABULARY_MOST) -> tuple[float, float]:
    """Between what `token_entropy` lies, whatever the tokens were that the client did not list; NaN where a voter is
    lost."""
    ends = []
    for sample in evidence.samples:
        if sample["answer"] is None or not sample["top_logprobs"]:
            return math.nan, math.nan
        intervals = [entropy_interval(top, vocabulary) for top in sample["top_logprobs"]]
        ends.append((fmean(low for low, _ in intervals), fmean(high for _, high in intervals)))
    if not ends:
        return math.nan, math.nan
    return fmean(low for low, _ in ends), fmean(high for _, high in ends)


def entropy_interval(top: Sequence[float], vocabulary: int = VOCABULARY_MOST) -> tuple[float, float]:
    """The least and the largest entropy, in nats, of a distribution of which the log-probabilities `top` are known.

    The missing mass m adds `-m log m` at the least, all of it on one token, and `-m log m + m log(V - k)` at the most,
    spread evenly over the other V - k tokens of the vocabulary.
    """
    listed = [math.exp(value) for value in top]
    missing = max(1.0 - math.fsum(listed), 0.0)
    low = entropy_nats([*listed, missing])
    return low, low + missing * math.log(max(1, vocabulary - len(top)))
