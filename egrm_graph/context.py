"""What a node works with: the parts of the graph, under the settings of the run."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.runtime import get_runtime

from egrm_graph.clients.client import Client
from egrm_graph.drawing.calls import Limits
from egrm_graph.errors import SettingsError
from egrm_graph.parts import Parts
from egrm_graph.records.record import Source
from egrm_graph.runtime.background_loop import BackgroundLoop
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.state import State
from egrm_graph.tracing.recording import Invocation
from egrm_graph.verification import Usage


@dataclass(frozen=True)
class Run:
    """One run's view of the parts, as each node gets it."""

    parts: Parts
    settings: Settings
    """The settings of the build with the overrides of this run."""
    emit: Callable[[Mapping[str, Any]], None]
    """Sends a custom event to whoever streams the graph."""
    client: Client
    """The client of the parts; if runs are recorded, one that records its calls."""

    def limits(self, started_at: float, *spent: Usage) -> Limits:
        """What the run may still use, after what its earlier stages spent."""
        deadline_s, budget = self.settings.deadline_s, self.settings.max_completion_tokens
        return Limits(
            deadline_at=None if deadline_s is None else started_at + deadline_s,
            tokens_left=None if budget is None else budget - sum(usage["completion_tokens"] for usage in spent),
        )


def called_with(parts: Parts, config: RunnableConfig) -> Invocation:
    """What the run that a node is called in was called with.

    A context that is not a `RunSettings` belongs to a host graph and is ignored. So is everything in `configurable`
    except the key `egrm`.
    """
    runtime = get_runtime()
    settings, sources = parts.settings, dict[str, Source]()
    overrides = config.get("configurable", {}).get("egrm")
    if overrides is not None:
        if not isinstance(overrides, dict | RunSettings):
            raise SettingsError(f"configurable['egrm'] is {overrides!r}; it takes a dict of settings or a RunSettings")
        settings = settings.overridden(overrides)
        names = overrides.model_fields_set if isinstance(overrides, RunSettings) else overrides
        sources |= dict.fromkeys(names, "configurable")
    if isinstance(runtime.context, RunSettings):
        settings = settings.overridden(runtime.context)
        sources |= dict.fromkeys(runtime.context.model_fields_set, "context")
    if settings is not parts.settings:
        parts.check_settings(settings)
    return Invocation(settings, sources, config.get("metadata", {}), runtime.stream_writer)


class NodeRunnable(Runnable[State, Any]):
    """A node or an edge in the form that the graph calls, in sync and async runs alike.

    In LangGraph, `invoke` cannot call an async-only node, and `ainvoke` runs a sync one in a thread. This one runs
    where it is called, and a sync run drives it on a background loop. LangGraph traces the node itself.
    """

    def __init__(self, name: str, work: Callable[[State, RunnableConfig], Any], background: BackgroundLoop) -> None:
        self.name = name
        self._work = work
        self._background = background

    def invoke(self, input: State, config: RunnableConfig | None = None, **_: Any) -> Any:
        result = self._work(input, config or {})
        return self._background.run(result) if inspect.iscoroutine(result) else result

    async def ainvoke(self, input: State, config: RunnableConfig | None = None, **_: Any) -> Any:
        result = self._work(input, config or {})
        return await result if inspect.iscoroutine(result) else result


class Binder:
    """Binds nodes and edges to the parts, and owns the loop that drives sync runs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._background = BackgroundLoop("egrm-sync")

    def node(self, work: Callable[[State, Run], Any]) -> NodeRunnable:
        """A node: a function of the state and the run, sync or async, that returns an update of the state."""
        node = _node(self._parts, work)
        return NodeRunnable(work.__name__, node, self._background)

    def edge(self, work: Callable[[State], str]) -> NodeRunnable:
        """A conditional edge: a function of the state."""
        return NodeRunnable(work.__name__, lambda state, _: work(state), self._background)

    def close(self) -> None:
        """Closes what the graph loaded, once the last reference to it is gone.

        The garbage collector calls this on any thread, perhaps the very one that has to be stopped, so another thread
        does the work. At the end of the program no other thread is left to wait for.
        """
        if threading.main_thread().is_alive():
            threading.Thread(target=self._close, name="egrm-close").start()
        else:
            self._close()

    def _close(self) -> None:
        if self._parts.tracer is not None:
            self._parts.tracer.close()
        if self._parts.closers:
            self._background.submit(self._parts.aclose()).result(timeout=10)
        self._background.close()


def _node(parts: Parts, work: Callable[[State, Run], Any]) -> Callable[[State, RunnableConfig], Any]:
    """The node in the form that LangGraph calls; if runs are recorded, with a client that records its calls."""
    name, tracer = work.__name__, parts.tracer
    if tracer is None:

        def plain(state: State, config: RunnableConfig) -> Any:
            called = called_with(parts, config)
            return work(state, Run(parts, called.settings, called.emit, parts.client))

        return plain

    def node(state: State, config: RunnableConfig) -> Any:
        called = called_with(parts, config)
        with tracer.node(name, state, called) as scope:
            return scope.returned(work(state, Run(parts, called.settings, called.emit, scope.client)))

    async def async_node(state: State, config: RunnableConfig) -> Any:
        called = called_with(parts, config)
        with tracer.node(name, state, called) as scope:
            return scope.returned(await work(state, Run(parts, called.settings, called.emit, scope.client)))

    return async_node if inspect.iscoroutinefunction(work) else node
