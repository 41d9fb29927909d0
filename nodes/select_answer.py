"""Decides, and writes the one output."""

from __future__ import annotations

import time
from typing import Any

from egrm_graph.clients.client import add_usage
from egrm_graph.context import Run
from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.findings import Findings
from egrm_graph.messages.replies import reply
from egrm_graph.reasons import loses, texts
from egrm_graph.state import State
from egrm_graph.telemetry.langsmith import tell_outcome
from egrm_graph.verification import Verification


def select_answer(state: State, run: Run) -> dict[str, Any]:
    """Lets the task decide, and reports everything that led to the decision. If a question came in with messages, the
    answer is also the last of them."""
    started = time.perf_counter()
    asked, drawn, gated = state["asked"], state["drawn"], state["gated"]
    expanded, scored = state.get("expanded"), state.get("scored")
    stages: dict[str, Any] = {
        "answer_fast": drawn,
        "check_uncertainty": gated,
        **({"expand_cot": expanded} if expanded else {}),
        **({"score_paths": scored} if scored else {}),
    }
    earlier = [reason for stage in stages.values() for reason in stage["reasons"]]
    findings = Findings(
        asked=asked,
        settings=run.settings,
        route=gated["route"],
        uncertainty=gated["uncertainty"],
        samples=drawn["samples"],
        readings=drawn["readings"],
        paths=scored["paths"] if scored else [],
        select=run.parts.selection_rule(run.settings),
        has_scorer=run.parts.path_scorer(run.settings) is not None,
        scores_calibrated=run.parts.scores_calibrated(run.settings),
        lost=any(map(loses, earlier)),
    )
    decision = _confident(run.parts.task.decide(findings), findings, run)
    reasons = [*earlier, *decision.reasons]
    verification = Verification(
        run_id=asked["run_id"],
        status=decision.status,
        route=gated["route"],
        answer=decision.answer,
        best_guess=decision.best_guess,
        correct=decision.correct,
        winner=decision.winner,
        best_path=decision.best_path,
        rewards=decision.rewards,
        unrewarded=decision.unrewarded,
        tie=decision.tie,
        confidence=decision.confidence,
        calibrated=decision.calibrated,
        uncertainty=gated["uncertainty"],
        samples=drawn["samples"],
        readings=drawn["readings"],
        paths=list(findings.paths),
        reasons=texts(reasons),
        reason_codes=[reason["code"] for reason in reasons],
        usage=add_usage(*(stage["usage"] for stage in stages.values())),
        timing_ms={name: round(stage["ms"], 3) for name, stage in stages.items()},
    )
    verification["timing_ms"]["select_answer"] = round((time.perf_counter() - started) * 1e3, 3)
    tell_outcome(verification)
    conversation = state.get("conversation")
    if conversation is None:
        return {"verification": verification}
    return {"verification": verification, "messages": [*conversation, reply(verification)]}


def _confident(decision: Decision, findings: Findings, run: Run) -> Decision:
    """The decision with its calibrated confidence, if it has one, and without its answer if that is too low."""
    calibration, least = run.parts.calibration, run.settings.min_confidence
    if calibration is not None and calibration.holds_for(run.settings):
        decision = calibration.applied(decision, findings.route, findings.uncertainty, findings.paths)
        calibration.saw(findings.route, findings.uncertainty)
    if decision.calibrated and least is not None:
        return decision.withheld_below(least, "min_confidence", decision.confidence)
    return decision
