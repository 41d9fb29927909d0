"""Decides, and writes the one output."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from egrm_graph.clients.client import add_usage
from egrm_graph.context import Run
from egrm_graph.deciding.choice import Choice, choose
from egrm_graph.deciding.verdict import verdict
from egrm_graph.messages.replies import reply
from egrm_graph.state import Gated, State
from egrm_graph.telemetry.langsmith import tell_outcome
from egrm_graph.verification import Path, Verification


def select_answer(state: State, run: Run) -> dict[str, Any]:
    """Takes the winner of the route that was taken and tells everything that led to it. Where a question came in with
    messages, the answer is also the last of them."""
    started = time.perf_counter()
    asked, drawn, gated = state["asked"], state["drawn"], state["gated"]
    expanded, scored = state.get("expanded"), state.get("scored")
    stages: dict[str, Any] = {
        "answer_fast": drawn,
        "check_uncertainty": gated,
        **({"expand_cot": expanded} if expanded else {}),
        **({"score_paths": scored} if scored else {}),
    }
    reasons = [reason for stage in stages.values() for reason in stage["reasons"]]
    paths = scored["paths"] if scored else []
    same, failed = run.parts.task.same, bool(reasons)
    judged, winner, rewards, unrewarded, tie = asked["judged"], None, None, None, None
    if judged is None:
        choice = choose(gated["route"], gated["uncertainty"], paths, same, rule=run.settings.selection, failed=failed)
        choice = _confident(choice, gated, paths, run, scores_count=True)
    else:
        told = verdict(judged, gated["route"], drawn["samples"], drawn["readings"], paths, failed=failed)
        told = told.under(_confident(told.choice, gated, paths, run, scores_count=False))
        choice, winner, rewards, unrewarded, tie = told.choice, told.winner, told.rewards, told.unrewarded, told.tie
    reference, answer = asked["reference"], choice.answer
    verification = Verification(
        run_id=asked["run_id"],
        status=choice.status,
        route=gated["route"],
        answer=answer,
        best_guess=choice.best_guess,
        correct=None if judged or reference is None or answer is None else same(answer, reference),
        winner=winner,
        best_path=choice.best_path,
        rewards=rewards,
        unrewarded=unrewarded,
        tie=tie,
        confidence=choice.confidence,
        calibrated=choice.calibrated,
        uncertainty=gated["uncertainty"],
        samples=drawn["samples"],
        readings=drawn["readings"],
        paths=paths,
        reasons=[*reasons, *choice.reasons],
        usage=add_usage(*(stage["usage"] for stage in stages.values())),
        timing_ms={name: round(stage["ms"], 3) for name, stage in stages.items()},
    )
    verification["timing_ms"]["select_answer"] = round((time.perf_counter() - started) * 1e3, 3)
    tell_outcome(verification)
    conversation = state.get("conversation")
    if conversation is None:
        return {"verification": verification}
    return {"verification": verification, "messages": [*conversation, reply(verification)]}


def _confident(choice: Choice, gated: Gated, paths: Sequence[Path], run: Run, *, scores_count: bool) -> Choice:
    """The choice with its calibrated confidence where there is one, and without its answer where that is too low.

    `scores_count` says that the confidence in a scored answer is its path's score; in a verdict it is a share of the
    evidence, which nothing has calibrated.
    """
    scorer, calibration, least = run.parts.scorer, run.parts.calibration, run.settings.min_confidence
    if scorer is not None and any(path["score"] is not None for path in paths):
        choice = replace(choice, calibrated=scores_count and scorer.calibrated)
    if calibration is not None and calibration.holds_for(run.settings):
        choice = calibration.applied(choice, gated["route"], gated["uncertainty"], paths)
        calibration.saw(gated["route"], gated["uncertainty"])
    if choice.calibrated and least is not None:
        return choice.withheld_below(least, "min_confidence", choice.confidence)
    return choice
