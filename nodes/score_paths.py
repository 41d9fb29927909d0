"""Grades the paths with the scorer, in this process or behind its server, and says whether they are enough."""

from __future__ import annotations

import time
from typing import Literal

from egrm_graph.clients.client import no_usage
from egrm_graph.context import Run
from egrm_graph.nodes.expand_cot import path_evidence
from egrm_graph.state import Scored, State
from egrm_graph.strategies.strategy import PathInView


async def score_paths(state: State, run: Run) -> dict[str, Scored]:
    """Gives every new path with an answer its score, or the reason why it has none."""
    started = time.perf_counter()
    asked, expanded, scored = state["asked"], state.get("expanded"), state.get("scored")
    assert expanded is not None  # the graph has no other edge here
    limits = run.limits(asked["started_at"], state["drawn"]["usage"], expanded["usage"])
    evidence = path_evidence(asked, run, expanded["planned"], limits)
    paths = expanded["paths"]
    old = [path for path in paths if path["score"] is not None or path["unscored"] is not None]
    views = [expanded["views"][index] for index in expanded["view_of"]]
    new = [PathInView(path, view) for path, view in zip(paths, views, strict=True)][len(old) :]
    graded, reasons = await evidence.graded(new, len(old))
    paths = [*old, *graded]
    enough = expanded["ended"] or evidence.enough(paths)
    ms = (time.perf_counter() - started) * 1e3
    before = ([], 0.0) if scored is None else (scored["reasons"], scored["ms"])
    return {
        "scored": Scored(
            paths=paths,
            enough=enough,
            usage=no_usage(),
            ms=before[1] + ms,
            reasons=[*before[0], *reasons],
        )
    }


def sufficiency(state: State) -> Literal["enough", "more"]:
    """The edge to take after the paths are scored."""
    scored = state.get("scored")
    return "enough" if scored is None or scored["enough"] else "more"
