"""Weighs verdicts on candidates: the share of the evidence that each outcome has; see `rewards`.

A candidate that no verdict was about has no reward, and the reason why. An exact draw is a tie and is reported as one:
the order of the candidates never decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.findings import Basis, Findings, grounds_of
from egrm_graph.deciding.outcomes import TIE, outcome_names
from egrm_graph.deciding.rewards import OutcomeEvidence, Shares, mean, scored_vote, shared_out, vote
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.verification import Judged, Path, Reading, Sample, Status

DRAW_MARGIN = 1e-9
UNJUDGED = "no verdict was reached"

_Outcomes = Callable[[Sequence[str]], Sequence[str]]
"""The possible outcomes when candidates appear in this order."""


@dataclass(frozen=True)
class Weighed:
    """The share of each outcome, and what a decision on it carries along."""

    shares: Shares
    status: Status
    reasons: tuple[Reason, ...]
    calibrated: bool | None = None
    best: dict[str, int] = field(default_factory=dict)
    """For each outcome, the index of its best-scored path."""


def weigh(findings: Findings, judged: Judged, outcomes: _Outcomes) -> Weighed:
    """The shares of the outcomes; empty if no verdict was reached."""
    grounds = grounds_of(findings)
    unfit = unfit_reasons(judged)
    fast_evidence = _fast_evidence(findings.samples, findings.readings)
    fast = mean(fast_evidence)
    orders_lost: tuple[Reason, ...] = ()
    best: dict[str, int] = {}
    if grounds.basis is Basis.NOTHING:
        shares: Shares = {}
    elif grounds.basis is Basis.FAST_ANSWERS:
        shares = fast
        if findings.route == "direct":
            drawn = [each["order"] for each in (*findings.samples, *findings.readings)]
            orders_lost = _orders_lost(drawn, fast_evidence)
    else:
        evidence = _path_evidence(findings.paths, outcomes, scored=grounds.basis is Basis.SCORES)
        best = _best_paths(findings.paths)
        reasoned_about = {outcome for path in findings.paths for outcome in outcomes(path["order"])}
        shares = shared_out(fast, mean(evidence), reasoned_about)
        orders_lost = _orders_lost([path["order"] for path in findings.paths], evidence)
    return Weighed(
        shares,
        grounds.status(lost=bool(findings.lost or unfit or orders_lost)),
        (*unfit, *grounds.reasons, *orders_lost),
        # A reward is a share of the evidence, which nothing has calibrated.
        calibrated=False if findings.scored else None,
        best=best,
    )


def choose_candidate(judged: Judged, weighed: Weighed, *, ranked: Shares | None = None, tie: bool = False) -> Decision:
    """The candidate with the largest share, with a reward for each; `ranked` has the shares of those that can win, if
    not all can. `tie` says whether the model may call a tie."""
    names = outcome_names(judged)
    shares = weighed.shares
    ranked = shares if ranked is None else ranked
    top = _top(ranked)
    reasons = weighed.reasons if top is not None else (*weighed.reasons, ReasonCode.DRAW.reason(names=_drawn(ranked)))
    answer = TIE if top is None else top
    rewards: list[float | None] = []
    for i, representative in enumerate(judged["same_as"]):
        was_judged = representative in judged["items"] and judged["unfit"][i] is None
        rewards.append(min(1.0, shares.get(names[representative], 0.0)) if was_judged else None)
    confidence = shares.get(answer, 0.0) if top is not None else max(ranked.values())
    return Decision(
        weighed.status,
        answer,
        confidence=min(1.0, confidence),
        best_path=weighed.best.get(answer),
        reasons=reasons,
        calibrated=weighed.calibrated,
        winner=None if answer == TIE else names.index(answer),
        rewards=rewards,
        unrewarded=[None if reward is not None else judged["unfit"][i] or UNJUDGED for i, reward in enumerate(rewards)],
        tie=shares.get(TIE, 0.0) if tie else None,
    )


def nothing_to_compare(judged: Judged, *, tie: bool, lost: bool) -> Decision:
    """The decision if no model was asked: all candidates are equal, or too few of them can be judged."""
    unfit = unfit_reasons(judged)
    if unfit or not judged["items"]:
        return abstained(judged, (*unfit, ReasonCode.TOO_FEW_CANDIDATES.reason()))
    reason = ReasonCode.CANDIDATES_EQUAL.reason()
    [item] = judged["items"]
    rewards: list[float | None] = [None for _ in judged["texts"]]
    unrewarded: list[str | None] = [reason["text"] for _ in judged["texts"]]
    return Decision(
        "degraded" if lost else "ok",
        TIE if tie else outcome_names(judged)[item],
        reasons=(reason,),
        winner=None if tie else item,
        rewards=rewards,
        unrewarded=unrewarded,
    )


def abstained(judged: Judged, reasons: Sequence[Reason], calibrated: bool | None = None) -> Decision:
    """The decision if no verdict was reached."""
    rewards: list[float | None] = [None for _ in judged["texts"]]
    return Decision(
        "abstained",
        None,
        reasons=tuple(reasons),
        calibrated=calibrated,
        rewards=rewards,
        unrewarded=[unfit or UNJUDGED for unfit in judged["unfit"]],
    )


def unfit_reasons(judged: Judged) -> tuple[Reason, ...]:
    """A reason for each candidate that the model cannot be shown."""
    named = zip(outcome_names(judged), judged["unfit"], strict=True)
    return tuple(ReasonCode.CANDIDATE_UNFIT.reason(name=name, cause=cause) for name, cause in named if cause)


def _fast_evidence(samples: Sequence[Sample], readings: Sequence[Reading]) -> list[OutcomeEvidence]:
    drawn = [
        OutcomeEvidence(vote(sample["answer"]), tuple(sample["order"]))
        for sample in samples
        if sample["answer"] is not None
    ]
    read = [
        OutcomeEvidence(reading["probabilities"], tuple(reading["order"]), reading["samples"])
        for reading in readings
        if reading["probabilities"] is not None
    ]
    return [*drawn, *read]


def _path_evidence(paths: Sequence[Path], outcomes: _Outcomes, *, scored: bool) -> list[OutcomeEvidence]:
    evidence = []
    for path in paths:
        answer, score, order = path["answer"], path["score"], tuple(path["order"])
        if answer is None or (scored and score is None):
            continue
        shares = vote(answer) if score is None else scored_vote(answer, score, outcomes(order))
        evidence.append(OutcomeEvidence(shares, order))
    return evidence


def _best_paths(paths: Sequence[Path]) -> dict[str, int]:
    """The index of each outcome's best-scored path, the first of equals."""
    best: dict[str, tuple[float, int]] = {}
    for i, path in enumerate(paths):
        answer, score = path["answer"], path["score"]
        if answer is not None and score is not None and (answer not in best or score > best[answer][0]):
            best[answer] = (score, i)
    return {answer: i for answer, (_, i) in best.items()}


def _orders_lost(drawn: Sequence[Sequence[str]], evidence: Sequence[OutcomeEvidence]) -> tuple[Reason, ...]:
    """The reason if an order has no verdict at all: then nothing offsets a preference for a position."""
    orders = {tuple(order) for order in drawn}
    lost = len(orders - {each.order for each in evidence})
    return (ReasonCode.ORDERS_LOST.reason(lost=lost, total=len(orders)),) if lost else ()


def _top(shares: Shares) -> str | None:
    """The outcome with the largest share; None in a draw."""
    ranked = sorted(shares.items(), key=lambda entry: -entry[1])
    if len(ranked) > 1 and ranked[0][1] - ranked[1][1] < DRAW_MARGIN:
        return None
    return ranked[0][0]


def _drawn(shares: Shares) -> str:
    most = max(shares.values())
    return " and ".join(sorted(name for name, share in shares.items() if most - share < DRAW_MARGIN))
