"""Measures how far the fast answers converge, and picks the route."""

from __future__ import annotations

import time
from typing import Literal

from egrm_graph.clients.client import no_usage
from egrm_graph.context import Run
from egrm_graph.deciding.outcomes import TIE
from egrm_graph.drawing.requirements import lacking
from egrm_graph.state import Gated, State
from egrm_graph.tasks.judging import undecided
from egrm_graph.uncertainty.evidence import evidence_of
from egrm_graph.uncertainty.votes import contested, orders_agree
from egrm_graph.verification import Route, Uncertainty, Vote


def check_uncertainty(state: State, run: Run) -> dict[str, Gated]:
    """Applies the gate. A pure function of what was drawn and the settings."""
    started = time.perf_counter()
    settings, task = run.settings, run.parts.task
    asked, samples, readings = state["asked"], state["drawn"]["samples"], state["drawn"]["readings"]
    gate = run.parts.gate(settings)
    evidence = evidence_of(samples, readings, task.same)
    votes = evidence.votes
    if readings:
        tops = [(reading["order"], reading["probabilities"] or {}) for reading in readings]
    else:
        tops = [(sample["order"], {sample["answer"]: 1.0}) for sample in samples if sample["answer"] is not None]
    route: Route = "direct" if gate.certain(evidence) or not undecided(asked["judged"]) else "reasoned"
    uncertainty = Uncertainty(
        measure=gate.measure.name,
        value=gate.measure.measured(evidence),
        threshold=gate.threshold,
        votes=[Vote(answer=answer, count=n) for answer, n in zip(votes.answers, votes.counts, strict=True)],
        samples=round(votes.total),
        planned=state["drawn"]["planned"],
        orders_agree=orders_agree(tops),
        contested=list(contested(votes, settings.contested_share, but=TIE)) if asked["judged"] else [],
    )
    gated = Gated(
        uncertainty=uncertainty,
        route=route,
        classes=list(evidence.classes),
        margin=gate.margin(uncertainty["value"]),
        usage=no_usage(),
        ms=(time.perf_counter() - started) * 1e3,
        reasons=lacking(gate.measure, evidence),
    )
    return {"gated": gated}


def certainty(state: State) -> Literal["certain", "uncertain"]:
    """The way after the gate."""
    return "certain" if state["gated"]["route"] == "direct" else "uncertain"
