"""How the winner is chosen among scored paths: pure functions of their classes of equivalent answers and their scores.

A rule is called with each path's class, numbered as one likes, and its score in [0, 1]; both are (N,), N >= 1. It
returns the index of the path that wins, and with it the answer. Of equals, the better-scored path wins, and of those
the first drawn.

Sources: best score, E-GRM, arXiv:2604.10072; weighted vote, Li et al. 2023, arXiv:2206.02336.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from egrm_graph.settings import Selection

Rule = Callable[[Sequence[int], Sequence[float]], int]


def best_score(classes: Sequence[int], scores: Sequence[float]) -> int:
    """The best-scored path, whatever the others say."""
    return max(range(len(classes)), key=lambda i: scores[i])


def weighted_vote(classes: Sequence[int], scores: Sequence[float]) -> int:
    """The best-scored path of the answer whose paths' scores add up to most."""
    weights: defaultdict[int, float] = defaultdict(float)
    for each, score in zip(classes, scores, strict=True):
        weights[each] += score
    return max(range(len(classes)), key=lambda i: (weights[classes[i]], scores[i]))


def majority_best(classes: Sequence[int], scores: Sequence[float]) -> int:
    """The best-scored path of the answer that most paths give: the scores only break ties."""
    votes = Counter(classes)
    return max(range(len(classes)), key=lambda i: (votes[classes[i]], scores[i]))


RULES: Mapping[Selection, Rule] = {
    "best_score": best_score,
    "weighted_vote": weighted_vote,
    "majority_best": majority_best,
}
