"""Measures how far the fast answers converge, and picks the route."""

from __future__ import annotations

import time
from typing import Literal

from egrm_graph.clients.client import no_usage
from egrm_graph.context import Run
from egrm_graph.state import Gated, State
from egrm_graph.uncertainty.votes import tally
from egrm_graph.verification import Route, Uncertainty, Vote


def check_uncertainty(state: State, run: Run) -> dict[str, Gated]:
    """Applies the gate. A pure function of what was drawn and the settings."""
    started = time.perf_counter()
    settings = run.settings
    measure = run.parts.measure(settings)
    threshold = measure.threshold if settings.threshold is None else settings.threshold
    votes = tally([sample["answer"] for sample in state["drawn"]["samples"]], run.parts.task.same)
    value = measure.value(votes)
    route: Route = "direct" if votes.top is not None and measure.certain(value, threshold) else "reasoned"
    uncertainty = Uncertainty(
        measure=measure.name,
        value=value,
        threshold=threshold,
        votes=[Vote(answer=answer, count=n) for answer, n in zip(votes.answers, votes.counts, strict=True)],
        samples=votes.total,
    )
    ms = (time.perf_counter() - started) * 1e3
    return {"gated": Gated(uncertainty=uncertainty, route=route, usage=no_usage(), ms=ms, reasons=[])}


def certainty(state: State) -> Literal["certain", "uncertain"]:
    """The way after the gate."""
    return "certain" if state["gated"]["route"] == "direct" else "uncertain"
