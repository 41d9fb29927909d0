"""Grades the paths with the scorer, in this process or behind its server."""

from __future__ import annotations

import time

from egrm_graph.clients.client import no_usage
from egrm_graph.context import Run
from egrm_graph.scoring.grading import grade, written
from egrm_graph.state import Expanded, State


async def score_paths(state: State, run: Run) -> dict[str, Expanded]:
    """Gives every path with an answer its score, or the reason why it has none."""
    started = time.perf_counter()
    expanded = state.get("expanded")
    assert expanded is not None  # the graph has no other edge here
    asked, task = state["asked"], run.parts.task
    limits = run.limits(asked["started_at"], state["drawn"]["usage"], expanded["usage"])
    timeout_s = min(run.settings.score_timeout_s, limits.seconds_left or float("inf"))
    views = [expanded["views"][index] for index in expanded["view_of"]]
    texts = [task.graded(asked, view, written(path)) for view, path in zip(views, expanded["paths"], strict=True)]
    paths, reasons = await grade(run.parts.scorer, texts, expanded["paths"], timeout_s)
    ms = (time.perf_counter() - started) * 1e3
    return {"scored": {**expanded, "paths": paths, "usage": no_usage(), "ms": ms, "reasons": reasons}}
