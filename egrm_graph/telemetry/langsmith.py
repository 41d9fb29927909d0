"""Tags and metadata for LangSmith, in addition to what LangGraph reports. Host graphs and streams do not see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from egrm_graph.settings import Settings
from egrm_graph.verification import Verification

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


def run_config(settings: Settings) -> RunnableConfig:
    """Tags and metadata to find runs by. Pass them to the graph's `with_config`."""
    values = {
        "egrm_engine": settings.engine,
        "egrm_model": settings.model,
        "egrm_task": settings.task_name,
        "egrm_measure": settings.measure,
        "egrm_threshold": settings.threshold,
        "egrm_samples": settings.samples,
        "egrm_paths": settings.paths,
        "egrm_path_stopping": settings.path_stopping,
    }
    metadata = {name: value for name, value in values.items() if value is not None}
    return {"tags": ["egrm", f"egrm:{settings.task_name}"], "metadata": metadata}


def tell_outcome(verification: Verification) -> None:
    """Add route, status, and confidence to the LangSmith run of the graph.

    The graph's last node calls this. Does nothing if the run is not traced.
    """
    from egrm_graph.clients.langsmith_callbacks import current_tracers

    tracers, node_id = current_tracers()
    outcome = {name: verification[name] for name in ("route", "status", "confidence")}
    for tracer in tracers:
        node = tracer.run_map.get(str(node_id))
        run = None if node is None else tracer.run_map.get(str(node.parent_run_id))
        if run is not None:
            # Copy, because the caller may own these objects.
            extra = run.extra or {}
            metadata = {**(extra.get("metadata") or {}), **{f"egrm_{name}": value for name, value in outcome.items()}}
            run.extra = {**extra, "metadata": metadata}
            run.tags = [*(run.tags or []), f"egrm:{verification['route']}", f"egrm:{verification['status']}"]
