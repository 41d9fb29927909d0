"""Chooses among candidates: by the shares of the fast verdicts, or of the paths; see `rewards` for what they are.

A candidate that no verdict was about has no reward, and the reason why. An exact draw is a tie, and is told: which
candidate came first never decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from egrm_graph.deciding.choice import Choice
from egrm_graph.deciding.outcomes import TIE, outcome_names
from egrm_graph.deciding.rewards import Evidence, Shares, grade_reward, mean, scored_vote, shared_out, vote
from egrm_graph.scoring.scorer import NO_SCORER
from egrm_graph.verification import Judged, Path, Reading, Route, Sample, Status

_DRAW = 1e-9
UNJUDGED = "no verdict was reached"


@dataclass(frozen=True)
class Verdict:
    """The choice, and what goes with it for every candidate, in the order in which they were handed in."""

    choice: Choice
    winner: int | None
    rewards: list[float | None]
    unrewarded: list[str | None]
    tie: float | None

    def under(self, choice: Choice) -> Verdict:
        """The verdict with its final choice. One that was withheld has neither winner nor rewards."""
        if choice.best_guess is None:
            return replace(self, choice=choice)
        n, why = len(self.rewards), choice.reasons[-1]
        return Verdict(choice, None, [None] * n, [unrewarded or why for unrewarded in self.unrewarded], None)


def verdict(
    judged: Judged,
    route: Route,
    samples: Sequence[Sample],
    readings: Sequence[Reading],
    paths: Sequence[Path],
    *,
    failed: bool,
) -> Verdict:
    """The verdict of a run. `failed` tells that a stage lost something, which makes any verdict `degraded`."""
    named = zip(outcome_names(judged), judged["unfit"], strict=True)
    unfit = [f"{name} cannot be judged: {why}" for name, why in named if why]
    status: Status = "degraded" if failed or unfit else "ok"
    if len(judged["items"]) < (1 if judged["grades"] else 2):
        return _nothing_to_compare(judged, status, unfit)
    drawn = _fast_evidence(samples, readings)
    fast = mean(drawn)
    if route == "direct":
        unheard = _unheard([each["order"] for each in (*samples, *readings)], drawn)
        status = "degraded" if unheard else status
        return _decided(judged, fast, Choice(status, None, None, None, (*unfit, *unheard)))
    evidence, best, reason = _path_evidence(judged, paths)
    if evidence:
        shown = {name for path in paths for name in path["order"]} | ({TIE} if judged["tie"] else set())
        shares = shared_out(fast, mean(evidence), judged["grades"] or shown)
        unheard = _unheard([path["order"] for path in paths], evidence)
        lost_scores = reason is not None and reason != f"paths voted: {NO_SCORER}"
        status = "degraded" if lost_scores or unheard else status
        reasons = (*unfit, *([reason] if reason else []), *unheard)
        decided = _decided(judged, shares, Choice(status, None, None, None, reasons))
        return replace(decided, choice=replace(decided.choice, best_path=best.get(decided.choice.answer or "")))
    if fast:
        told = "no path gave a verdict; the fast verdicts decided, though they did not converge"
        return _decided(judged, fast, Choice("degraded", None, None, None, (*unfit, told)))
    told = "neither a fast answer nor a path gave a verdict"
    return _abstained(judged, (*unfit, told))


def _fast_evidence(samples: Sequence[Sample], readings: Sequence[Reading]) -> list[Evidence]:
    drawn = [Evidence(vote(each["answer"]), tuple(each["order"])) for each in samples if each["answer"] is not None]
    read = [
        Evidence(each["probabilities"], tuple(each["order"]), each["samples"])
        for each in readings
        if each["probabilities"] is not None
    ]
    return [*drawn, *read]


def _unheard(shown: Sequence[Sequence[str]], evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """What is told where an order has no verdict at all: the others' liking for a place is not made up for."""
    orders = {tuple(order) for order in shown}
    lost = len(orders - {each.order for each in evidence})
    return (f"{lost} of {len(orders)} orders of the candidates gave no verdict",) if lost else ()


def _path_evidence(judged: Judged, paths: Sequence[Path]) -> tuple[list[Evidence], dict[str, int], str | None]:
    """The evidence, the best path of each outcome, and why it is not of scores."""
    answered = [(i, path, path["answer"]) for i, path in enumerate(paths) if path["answer"] is not None]
    scored = [(i, path, answer, path["score"]) for i, path, answer in answered if path["score"] is not None]
    if not scored:
        without = all(path["unscored"] == NO_SCORER for _, path, _ in answered)
        reason = "paths voted: " + (NO_SCORER if without else "none of them could be scored")
        votes = [Evidence(vote(answer), tuple(path["order"])) for _, path, answer in answered]
        return votes, {}, reason if answered else None
    best: dict[str, int] = {}
    evidence: list[Evidence] = []
    for i, path, answer, score in scored:
        outcomes = judged["grades"] or [*path["order"], *([TIE] if judged["tie"] else [])]
        evidence.append(Evidence(scored_vote(answer, score, outcomes), tuple(path["order"])))
        if answer not in best or score > (paths[best[answer]]["score"] or 0.0):
            best[answer] = i
    return evidence, best, None


def _decided(judged: Judged, shares: Shares, choice: Choice) -> Verdict:
    if judged["grades"]:
        return _graded(judged, shares, choice)
    names = outcome_names(judged)
    ranked = _by_name(judged, names, shares) if judged["by_name"] else shares
    top = _top(ranked)
    index = names.index(top) if top is not None and top != TIE else None
    reasons = choice.reasons if top is not None else (*choice.reasons, f"a draw: {_drawn(ranked)}")
    answer = TIE if top is None else top
    rewards: list[float | None] = []
    for i, stands in enumerate(judged["same_as"]):
        shown = stands in judged["items"] and judged["unfit"][i] is None
        rewards.append(min(1.0, shares.get(names[stands], 0.0)) if shown else None)
    confidence = shares.get(answer, 0.0) if top is not None else max(ranked.values())
    return Verdict(
        replace(choice, answer=answer, confidence=min(1.0, confidence), reasons=reasons),
        index,
        rewards,
        [None if reward is not None else judged["unfit"][i] or UNJUDGED for i, reward in enumerate(rewards)],
        shares.get(TIE, 0.0) if judged["tie"] else None,
    )


def _graded(judged: Judged, shares: Shares, choice: Choice) -> Verdict:
    """Of grades that are equally likely, the lower one: a doubt never counts in favour."""
    answer = max(judged["grades"], key=lambda grade: shares.get(grade, 0.0))
    reward = min(1.0, grade_reward(shares, judged["grades"]))
    return Verdict(replace(choice, answer=answer, confidence=shares[answer]), None, [reward], [None], None)


def _top(shares: Shares) -> str | None:
    """The outcome with the largest share; None where it is not alone."""
    ranked = sorted(shares.items(), key=lambda entry: -entry[1])
    if len(ranked) > 1 and ranked[0][1] - ranked[1][1] < _DRAW:
        return None
    return ranked[0][0]


def _by_name(judged: Judged, names: Sequence[str], shares: Shares) -> Shares:
    """The shares of the candidates that call the tools with the most of all shares."""
    called = {names[i]: tuple(judged["calls"][i]) for i in judged["items"]}
    totals: dict[tuple[str, ...], float] = {}
    for name, share in shares.items():
        totals[called[name]] = totals.get(called[name], 0.0) + share
    most = max(totals.values())
    return {name: share for name, share in shares.items() if most - totals[called[name]] < _DRAW}


def _drawn(shares: Shares) -> str:
    most = max(shares.values())
    return " and ".join(sorted(name for name, share in shares.items() if most - share < _DRAW))


def _nothing_to_compare(judged: Judged, status: Status, unfit: Sequence[str]) -> Verdict:
    """No model was asked: all candidates are equal, or too few of them can be shown."""
    if unfit or not judged["items"]:
        return _abstained(judged, (*unfit, "too few candidates could be judged"))
    told = "all candidates are equal; nothing had to be judged"
    [item] = judged["items"]
    n = len(judged["texts"])
    answer = TIE if judged["tie"] else outcome_names(judged)[item]
    choice = Choice(status, answer, None, None, (told,))
    return Verdict(choice, None if judged["tie"] else item, [None] * n, [told] * n, None)


def _abstained(judged: Judged, reasons: Sequence[str]) -> Verdict:
    n = len(judged["texts"])
    unrewarded = [why or UNJUDGED for why in judged["unfit"]]
    return Verdict(Choice("abstained", None, None, None, tuple(reasons)), None, [None] * n, list(unrewarded), None)
