"""Draws the reasoning paths of a question whose fast answers did not converge."""

from __future__ import annotations

import time

from egrm_graph.clients.client import Completion
from egrm_graph.clients.drawing import Lost, draw
from egrm_graph.context import Run
from egrm_graph.reasoning.plain import path_calls
from egrm_graph.reasoning.samples import lost_reasons, sample_of
from egrm_graph.state import Expanded, State
from egrm_graph.verification import Path


async def expand_cot(state: State, run: Run) -> dict[str, Expanded]:
    """Draws the paths, each in a request of its own, so that one can be cancelled or fail alone."""
    started = time.perf_counter()
    asked = state["asked"]
    calls = path_calls(asked, run.parts.prompts, run.settings)

    def path(i: int, outcome: Completion | Lost) -> Path:
        sample = sample_of(outcome, calls[i].seeds[0], calls[i].request_id, run.parts.task)
        return Path(**sample, score=None, unscored=None)

    def landed(i: int, outcomes: tuple[Completion | Lost, ...]) -> None:
        run.emit({"egrm": "sample", "node": "expand_cot", "i": i, **path(i, outcomes[0])})

    limits = run.limits(asked["started_at"], state["drawn"]["usage"])
    drawing = await draw(run.parts.client, calls, limits, landed)
    outcomes = [outcome for (outcome,) in drawing.outcomes]
    expanded = Expanded(
        paths=[path(i, outcome) for i, outcome in enumerate(outcomes)],
        usage=drawing.usage,
        ms=(time.perf_counter() - started) * 1e3,
        reasons=lost_reasons("paths", outcomes),
    )
    return {"expanded": expanded}
