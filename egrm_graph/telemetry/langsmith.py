"""What LangSmith is told of a run, beside what LangGraph tells it: nothing that a host graph or its streams see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from egrm_graph.settings import Settings
from egrm_graph.verification import Verification

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


def run_config(settings: Settings) -> RunnableConfig:
    """Tags and metadata by which runs are found; for the graph's `with_config`."""
    said = {
        "egrm_engine": settings.engine,
        "egrm_model": settings.model,
        "egrm_task": settings.task_name,
        "egrm_measure": settings.measure,
        "egrm_threshold": settings.threshold,
        "egrm_samples": settings.samples,
        "egrm_paths": settings.paths,
    }
    metadata = {name: value for name, value in said.items() if value is not None}
    return {"tags": ["egrm", f"egrm:{settings.task_name}"], "metadata": metadata}


def tell_outcome(verification: Verification) -> None:
    """Adds route and status to the LangSmith run of the graph; for its last node to call. Does nothing where the run
    is not traced."""
    from egrm_graph.clients.langsmith_callbacks import current_tracers

    tracers, node_id = current_tracers()
    told = {name: verification[name] for name in ("route", "status", "confidence")}
    for tracer in tracers:
        node = tracer.run_map.get(str(node_id))
        run = None if node is None else tracer.run_map.get(str(node.parent_run_id))
        if run is not None:
            # Copies: the run's own may be the caller's.
            extra = run.extra or {}
            metadata = {**(extra.get("metadata") or {}), **{f"egrm_{name}": value for name, value in told.items()}}
            run.extra = {**extra, "metadata": metadata}
            run.tags = [*(run.tags or []), f"egrm:{verification['route']}", f"egrm:{verification['status']}"]
