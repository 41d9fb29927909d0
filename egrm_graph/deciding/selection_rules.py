"""How the winner is chosen among scored paths: pure functions of the paths' answer classes and scores.

A rule takes each path's class (equal numbers mean equivalent answers) and its score in [0, 1], both of shape (N,) with
N >= 1. It returns the index of the winning path, and with it the answer. Among equals the better-scored path wins, then
the one drawn first. A rule of your own is a function like these, passed to `build_graph(selection_rules=[...])`.

Sources: best score, E-GRM, arXiv:2604.10072; weighted vote, Li et al. 2023, arXiv:2206.02336.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

SelectionRule = Callable[[Sequence[int], Sequence[float]], int]


def best_score(classes: Sequence[int], scores: Sequence[float]) -> int:
    """The best-scored path, whatever the others say."""
    return max(range(len(classes)), key=lambda i: scores[i])


def weighted_vote(classes: Sequence[int], scores: Sequence[float]) -> int:
    """The best-scored path of the answer whose paths have the largest sum of scores."""
    weights: defaultdict[int, float] = defaultdict(float)
    for each, score in zip(classes, scores, strict=True):
        weights[each] += score
    return max(range(len(classes)), key=lambda i: (weights[classes[i]], scores[i]))


def majority_best(classes: Sequence[int], scores: Sequence[float]) -> int:
    """The best-scored path of the most frequent answer: scores only break ties."""
    votes = Counter(classes)
    return max(range(len(classes)), key=lambda i: (votes[classes[i]], scores[i]))


SELECTION_RULES: Mapping[str, SelectionRule] = {
    rule.__name__: rule for rule in (weighted_vote, best_score, majority_best)
}
"""The built-in rules by name."""
