"""LangSmith's callbacks around a call. Model calls appear in its traces, but not in other callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManager
    from langchain_core.tracers import LangChainTracer


def current_tracers() -> tuple[list[LangChainTracer], UUID | None]:
    """The LangSmith tracers of the current run, and the run's id."""
    from langchain_core.callbacks import BaseCallbackManager
    from langchain_core.runnables.config import ensure_config
    from langchain_core.tracers import LangChainTracer

    callbacks = ensure_config().get("callbacks")
    if not isinstance(callbacks, BaseCallbackManager):
        return [], None
    return [handler for handler in callbacks.handlers if isinstance(handler, LangChainTracer)], callbacks.parent_run_id


def tracing_only() -> AsyncCallbackManager:
    """The current run's callbacks, without those that are not LangSmith's."""
    from langchain_core.callbacks import AsyncCallbackManager

    tracers, run_id = current_tracers()
    return AsyncCallbackManager(handlers=[*tracers], inheritable_handlers=[*tracers], parent_run_id=run_id)
