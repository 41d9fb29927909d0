"""LangSmith's part of the callbacks around a call: model calls show in its traces, and in nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManager
    from langchain_core.tracers import LangChainTracer


def current_tracers() -> tuple[list[LangChainTracer], UUID | None]:
    """LangSmith's tracers of the run that this is called in, and that run's id."""
    from langchain_core.callbacks import BaseCallbackManager
    from langchain_core.runnables.config import ensure_config
    from langchain_core.tracers import LangChainTracer

    callbacks = ensure_config().get("callbacks")
    if not isinstance(callbacks, BaseCallbackManager):
        return [], None
    return [each for each in callbacks.handlers if isinstance(each, LangChainTracer)], callbacks.parent_run_id


def tracing_only() -> AsyncCallbackManager:
    """The callbacks of the run that this is called in, without all that are not LangSmith's."""
    from langchain_core.callbacks import AsyncCallbackManager

    tracers, run_id = current_tracers()
    return AsyncCallbackManager(handlers=[*tracers], inheritable_handlers=[*tracers], parent_run_id=run_id)
