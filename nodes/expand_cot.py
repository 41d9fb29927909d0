"""Draws the reasoning paths of a question whose fast answers did not converge."""

from __future__ import annotations

import time

from egrm_graph.clients.client import no_usage
from egrm_graph.context import Run
from egrm_graph.drawing.paths import draw_paths
from egrm_graph.state import Expanded, State
from egrm_graph.strategies.plain import path_calls
from egrm_graph.verification import Path


async def expand_cot(state: State, run: Run) -> dict[str, Expanded]:
    """Draws the paths, each in a request of its own, so that one can be cancelled or fail alone; or takes over those
    that were drawn ahead."""
    started = time.perf_counter()
    asked, task, settings = state["asked"], run.parts.task, run.settings

    def landed(i: int, path: Path) -> None:
        run.emit({"egrm": "sample", "node": "expand_cot", "i": i, **path})

    if ahead := state["drawn"]["ahead"]:
        for i, path in enumerate(ahead["paths"]):
            landed(i, path)
        paths, usage, reasons = ahead["paths"], no_usage(), ahead["reasons"]
    else:
        views = task.views(asked, settings.paths, state["gated"]["uncertainty"]["contested"])
        drawn_in = path_calls(asked, views, run.parts.prompts, settings)
        limits = run.limits(asked["started_at"], state["drawn"]["usage"])
        drawn = await draw_paths(run.client, task, drawn_in, limits, landed)
        paths, usage, reasons = drawn.paths, drawn.usage, drawn.reasons
    ms = (time.perf_counter() - started) * 1e3
    return {"expanded": Expanded(paths=paths, usage=usage, ms=ms, reasons=reasons)}
