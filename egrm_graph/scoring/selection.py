"""Chooses the answer: by the votes on the direct route, by the best score on the reasoned one.

Where the reasoned route has no score to go by, its paths vote; where no path has an answer, the fast answers' votes
are the best that is known. Each step down that ladder makes the result `degraded` and is told in its reasons, but for
one: a graph built without a scorer votes as it was told to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from egrm_graph.scoring.scorer import NO_SCORER
from egrm_graph.uncertainty.votes import tally
from egrm_graph.verification import Path, Route, Status, Uncertainty


@dataclass(frozen=True)
class Choice:
    """What was chosen, how far it can be trusted, and why."""

    status: Status
    answer: str | None
    winner: int | None
    confidence: float | None
    reasons: tuple[str, ...] = ()


def choose(
    route: Route,
    uncertainty: Uncertainty,
    paths: Sequence[Path],
    same: Callable[[str, str], bool],
    *,
    failed: bool,
) -> Choice:
    """The answer of a run. `failed` tells that a stage lost something, which makes any answer `degraded`."""
    status: Status = "degraded" if failed else "ok"
    if route == "direct":
        return _fast_vote(uncertainty, status)
    scored = [(path["score"], i) for i, path in enumerate(paths) if path["score"] is not None]
    if scored:
        score, winner = max(scored, key=lambda entry: (entry[0], -entry[1]))  # of equals, the first drawn
        return Choice(status, paths[winner]["answer"], winner, score)
    if any(path["answer"] is not None for path in paths):
        return _path_vote(paths, same, status)
    if uncertainty["votes"]:
        reason = "no path gave an answer; the fast answers' votes decided, though they did not converge"
        return _fast_vote(uncertainty, "degraded", reason)
    return Choice("abstained", None, None, None, ("neither a fast answer nor a path gave an answer",))


def _fast_vote(uncertainty: Uncertainty, status: Status, *reasons: str) -> Choice:
    top = uncertainty["votes"][0]
    return Choice(status, top["answer"], None, top["count"] / uncertainty["samples"], reasons)


def _path_vote(paths: Sequence[Path], same: Callable[[str, str], bool], status: Status) -> Choice:
    votes = tally([path["answer"] for path in paths], same)
    without = all(path["unscored"] == NO_SCORER for path in paths if path["answer"] is not None)
    reason = "paths voted: " + (NO_SCORER if without else "none of them could be scored")
    return Choice(status if without else "degraded", votes.top, None, votes.counts[0] / votes.total, (reason,))
