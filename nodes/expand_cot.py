"""Draws the reasoning paths of a question whose fast answers did not converge."""

from __future__ import annotations

import time

from egrm_graph.clients.client import Completion
from egrm_graph.clients.drawing import Lost, draw
from egrm_graph.context import Run
from egrm_graph.reasoning.plain import path_calls
from egrm_graph.reasoning.samples import lost_reasons, path_of
from egrm_graph.state import Expanded, State
from egrm_graph.verification import Path


async def expand_cot(state: State, run: Run) -> dict[str, Expanded]:
    """Draws the paths, each in a request of its own, so that one can be cancelled or fail alone."""
    started = time.perf_counter()
    asked, task, settings = state["asked"], run.parts.task, run.settings
    views = task.views(asked, settings.paths, state["gated"]["uncertainty"]["contested"])
    drawn_in = path_calls(asked, views, run.parts.prompts, settings)

    def path(i: int, outcome: Completion | Lost) -> Path:
        return path_of(outcome, *drawn_in[i], task)

    def landed(i: int, outcomes: tuple[Completion | Lost, ...]) -> None:
        run.emit({"egrm": "sample", "node": "expand_cot", "i": i, **path(i, outcomes[0])})

    limits = run.limits(asked["started_at"], state["drawn"]["usage"])
    drawing = await draw(run.parts.client, [call for call, _ in drawn_in], limits, landed)
    outcomes = [outcome for (outcome,) in drawing.outcomes]
    expanded = Expanded(
        paths=[path(i, outcome) for i, outcome in enumerate(outcomes)],
        usage=drawing.usage,
        ms=(time.perf_counter() - started) * 1e3,
        reasons=lost_reasons("paths", outcomes),
    )
    return {"expanded": expanded}
