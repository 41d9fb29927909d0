"""Measures how far the fast answers converge, and picks the route."""

from __future__ import annotations

import time
from typing import Literal

from egrm_graph.clients.client import no_usage
from egrm_graph.context import Run
from egrm_graph.drawing.requirements import unmet_reasons
from egrm_graph.state import Gated, State
from egrm_graph.uncertainty.evidence import evidence_of
from egrm_graph.uncertainty.votes import orders_agree
from egrm_graph.verification import Route, Uncertainty, Vote


def check_uncertainty(state: State, run: Run) -> dict[str, Gated]:
    """Applies the gate: a pure function of what was drawn and the settings."""
    started = time.perf_counter()
    settings, task, drawn = run.settings, run.parts.task, state["drawn"]
    samples, readings = drawn["samples"], drawn["readings"]
    gate = run.parts.gate(settings)
    evidence = evidence_of(samples, readings, task.same)
    votes = evidence.votes
    if readings:
        by_order = [(reading["order"], reading["probabilities"] or {}) for reading in readings]
    else:
        by_order = [(sample["order"], {sample["answer"]: 1.0}) for sample in samples if sample["answer"] is not None]
    route: Route = "direct" if gate.certain(evidence) or not drawn["planned"] else "reasoned"
    uncertainty = Uncertainty(
        measure=gate.measure.name,
        value=gate.measure.measured(evidence),
        threshold=gate.threshold,
        votes=[Vote(answer=answer, count=n) for answer, n in zip(votes.answers, votes.counts, strict=True)],
        samples=round(votes.total),
        planned=drawn["planned"],
        orders_agree=orders_agree(by_order),
        contested=task.contested(votes, settings),
    )
    gated = Gated(
        uncertainty=uncertainty,
        route=route,
        classes=list(evidence.classes),
        margin=gate.margin(uncertainty["value"]),
        usage=no_usage(),
        ms=(time.perf_counter() - started) * 1e3,
        reasons=unmet_reasons(gate.measure, evidence),
    )
    return {"gated": gated}


def certainty(state: State) -> Literal["certain", "uncertain"]:
    """The edge to take after the gate."""
    return "certain" if state["gated"]["route"] == "direct" else "uncertain"
