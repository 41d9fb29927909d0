"""Draws the reasoning paths of a question whose fast answers did not converge."""

from __future__ import annotations

import time

from egrm_graph.clients.client import no_usage
from egrm_graph.context import Run
from egrm_graph.state import Expanded, State
from egrm_graph.strategies.draw_paths import draw_paths
from egrm_graph.strategies.strategy import Known
from egrm_graph.verification import Path


async def expand_cot(state: State, run: Run) -> dict[str, Expanded]:
    """Draws the paths of the strategy, or takes over those that were drawn ahead."""
    started = time.perf_counter()
    asked, parts, settings = state["asked"], run.parts, run.settings

    def landed(i: int, path: Path) -> None:
        run.emit({"egrm": "sample", "node": "expand_cot", "i": i, **path})

    if ahead := state["drawn"]["ahead"]:
        for i, path in enumerate(ahead["paths"]):
            landed(i, path)
        expanded = Expanded(**ahead, usage=no_usage(), ms=0.0)
    else:
        views = parts.task.views(asked, settings, settings.paths, state["gated"]["uncertainty"]["contested"])
        known = Known(asked, views, parts.task, parts.prompts, settings)
        limits = run.limits(asked["started_at"], state["drawn"]["usage"])
        drawn = await draw_paths(run.client, parts.strategy(settings), known, limits, landed)
        expanded = Expanded(
            paths=drawn.paths,
            views=drawn.views,
            view_of=drawn.view_of,
            usage=drawn.usage,
            ms=0.0,
            reasons=drawn.reasons,
        )
    expanded["ms"] = (time.perf_counter() - started) * 1e3
    return {"expanded": expanded}
