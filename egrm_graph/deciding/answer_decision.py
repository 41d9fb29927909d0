"""Decides a question: by the votes of the fast answers, the scores of the paths, or the votes of the paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.findings import Basis, Findings, grounds_of
from egrm_graph.errors import RunError
from egrm_graph.steps.tree import leaf_priors, leaf_weights
from egrm_graph.uncertainty.votes import classes, tally
from egrm_graph.verification import Path

Same = Callable[[str, str], bool]


def decide_answer(findings: Findings, same: Same) -> Decision:
    """The answer to a question; `same` says whether two answers are equivalent.

    Raises:
        RunError: the selection rule chose a path that does not exist.
    """
    grounds = grounds_of(findings)
    match grounds.basis:
        case Basis.FAST_ANSWERS:
            decision = _by_fast_votes(findings)
        case Basis.SCORES:
            decision = _by_scores(findings, same)
        case Basis.PATH_VOTES:
            decision = _by_path_votes(findings, same)
        case Basis.NOTHING:
            decision = Decision("abstained", None)
    reference = findings.asked["reference"]
    return replace(
        decision,
        status=grounds.status(lost=findings.lost),
        reasons=grounds.reasons,
        calibrated=findings.scores_calibrated if findings.scored else None,
        correct=None if reference is None or decision.answer is None else same(decision.answer, reference),
    )


def _by_fast_votes(findings: Findings) -> Decision:
    top = findings.uncertainty["votes"][0]
    return Decision("ok", top["answer"], confidence=top["count"] / findings.uncertainty["samples"])


def _by_scores(findings: Findings, same: Same) -> Decision:
    """Unscored paths do not count; the reasons of `score_paths` say what they would have added. In a tree, a leaf that
    the model would rarely write needs a better score."""
    paths, priors = findings.paths, leaf_priors(findings.paths, findings.settings.leaf_prior)
    scored = [(i, path["score"]) for i, path in enumerate(paths) if path["score"] is not None]
    groups = classes([paths[i]["answer"] for i, _ in scored], same)
    answered = [(group, i, score) for group, (i, score) in zip(groups, scored, strict=True) if group is not None]
    weights = [compared_by(paths[i], score) * priors[i] for _, i, score in answered]
    chosen = findings.select([group for group, _, _ in answered], weights)
    if not (isinstance(chosen, int) and 0 <= chosen < len(answered)):
        raise RunError(
            f"the selection rule {findings.settings.selection!r} returned {chosen!r} for {len(answered)} paths; it has "
            "to return the index of one of them"
        )
    _, winner, score = answered[chosen]
    return Decision("ok", paths[winner]["answer"], confidence=score, best_path=winner)


def compared_by(path: Path, score: float) -> float:
    """What a path with this score is compared by."""
    aggregate = path.get("aggregate")
    return score if aggregate is None else aggregate


def _by_path_votes(findings: Findings, same: Same) -> Decision:
    if any(path.get("branch") for path in findings.paths):
        return _by_leaf_weights(findings, same)
    votes = tally([path["answer"] for path in findings.paths], same)
    return Decision("ok", votes.top, confidence=votes.counts[0] / votes.total)


def _by_leaf_weights(findings: Findings, same: Same) -> Decision:
    """The answer whose leaves have the largest share of the tree's probability. Leaves are not votes: the unlikely ones
    would outnumber what the model would do."""
    numbers = classes([path["answer"] for path in findings.paths], same)
    weights: dict[int, float] = {}
    for number, weight in zip(numbers, leaf_weights(findings.paths), strict=True):
        if number is not None:
            weights[number] = weights.get(number, 0.0) + weight
    top = max(weights, key=lambda number: weights[number])
    return Decision("ok", findings.paths[top]["answer"], confidence=min(1.0, weights[top]))
