"""Chooses the answer: by the votes on the direct route, by the paths' scores and a rule on the reasoned one.

Where the reasoned route has no score to go by, its paths vote; where no path has an answer, the fast answers' votes
are the best that is known. Each step down that ladder makes the result `degraded` and is told in its reasons, but for
one: a graph built without a scorer votes as it was told to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from egrm_graph.deciding.selection_rules import RULES, Rule
from egrm_graph.scoring.scorer import NO_SCORER
from egrm_graph.settings import Selection
from egrm_graph.uncertainty.votes import classes, tally
from egrm_graph.verification import Path, Route, Status, Uncertainty


@dataclass(frozen=True)
class Choice:
    """What was chosen, how far it can be trusted, and why."""

    status: Status
    answer: str | None
    best_path: int | None
    confidence: float | None
    reasons: tuple[str, ...] = ()
    calibrated: bool | None = None
    """Whether the confidence was fitted on labeled data; None where nothing was there to fit it."""
    best_guess: str | None = None
    """The answer that was withheld."""

    def withheld_below(self, least: float, bar: str, confidence: float | None) -> Choice:
        """This choice or, where `confidence` is below `least` or missing, one that withholds its answer. `bar` is what
        the reason calls `least`."""
        if self.answer is None or (confidence is not None and confidence >= least - 1e-9):
            return self
        found = "it has no confidence of the kind that was calibrated"
        if confidence is not None:
            found = f"its confidence is {confidence:.4g}, below {bar} {least:.4g}"
        reasons = (*self.reasons, f"the answer was withheld: {found}")
        return replace(self, status="abstained", answer=None, best_guess=self.answer, reasons=reasons)


def choose(
    route: Route,
    uncertainty: Uncertainty,
    paths: Sequence[Path],
    same: Callable[[str, str], bool],
    *,
    rule: Selection,
    failed: bool,
) -> Choice:
    """The answer of a run. `failed` tells that a stage lost something, which makes any answer `degraded`."""
    status: Status = "degraded" if failed else "ok"
    if route == "direct":
        return _fast_vote(uncertainty, status)
    if any(path["score"] is not None for path in paths):
        return _by_score(paths, same, status, RULES[rule])
    if any(path["answer"] is not None for path in paths):
        return _path_vote(paths, same, status)
    if uncertainty["votes"]:
        reason = "no path gave an answer; the fast answers' votes decided, though they did not converge"
        return _fast_vote(uncertainty, "degraded", reason)
    return Choice("abstained", None, None, None, ("neither a fast answer nor a path gave an answer",))


def _by_score(paths: Sequence[Path], same: Callable[[str, str], bool], status: Status, rule: Rule) -> Choice:
    """Unscored paths have no say: whatever they would have added is told in the reasons of `score_paths`."""
    known = [(i, path["score"]) for i, path in enumerate(paths) if path["score"] is not None]
    groups = classes([paths[i]["answer"] for i, _ in known], same)
    answered = [(group, i, score) for group, (i, score) in zip(groups, known, strict=True) if group is not None]
    won = rule([group for group, _, _ in answered], [score for _, _, score in answered])
    _, winner, score = answered[won]
    return Choice(status, paths[winner]["answer"], winner, score)


def _fast_vote(uncertainty: Uncertainty, status: Status, *reasons: str) -> Choice:
    top = uncertainty["votes"][0]
    return Choice(status, top["answer"], None, top["count"] / uncertainty["samples"], reasons)


def _path_vote(paths: Sequence[Path], same: Callable[[str, str], bool], status: Status) -> Choice:
    votes = tally([path["answer"] for path in paths], same)
    without = all(path["unscored"] == NO_SCORER for path in paths if path["answer"] is not None)
    reason = "paths voted: " + (NO_SCORER if without else "none of them could be scored")
    return Choice(status if without else "degraded", votes.top, None, votes.counts[0] / votes.total, (reason,))
