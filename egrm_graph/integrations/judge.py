"""The graph of a reward function, which trainers may send to other processes."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from types import CodeType
from typing import Any

from egrm_graph.errors import SettingsError
from egrm_graph.graph import build_graph
from egrm_graph.integrations.graph_calls import JUDGES_NOTHING, Graph
from egrm_graph.settings import Settings
from egrm_graph.tasks import judges_candidates

MAX_CACHED_GRAPHS = 16
"""Graphs built from settings that a process keeps."""
_building: dict[int, threading.Lock] = {}


class Judge:
    """The graph behind a reward function. With settings, each process builds its own graph at the first call.

    Trainers pickle reward functions for other processes, or fork. A graph has threads and connections, so it works only
    in one process. Only its settings are pickled. A process reuses its graph for the next reward function with the same
    settings.

    Raises:
        SettingsError: the settings are for a task that does not judge candidates.
    """

    def __init__(self, source: Graph | Settings) -> None:
        if isinstance(source, Settings) and not judges_candidates(source):
            raise SettingsError(JUDGES_NOTHING)
        self._source = source

    @property
    def graph(self) -> Graph:
        """Return the graph of this process.

        Raises:
            SetupError: the settings do not fit together, or a model cannot be loaded.
        """
        if not isinstance(self._source, Settings):
            return self._source
        process = os.getpid()  # a forked process has its parent's graphs, but not their threads
        settings: Any = self._source  # frozen and so hashable, which type checkers do not see
        with _building.setdefault(process, threading.Lock()):
            return _built_in(process, settings)

    def __getstate__(self) -> dict[str, Any]:
        if not isinstance(self._source, Settings):
            raise SettingsError(
                "a graph cannot be sent to another process; make the reward function from Settings, "
                "and each process builds its own graph"
            )
        return self.__dict__


class CoroutineFunction:
    """Make `inspect.iscoroutinefunction` true for instances with an async `__call__`.

    verl, and TRL before 1.16, use it to decide whether to await a reward function. Python before 3.12 cannot mark such
    an instance, but accepts any object with the attributes of a function.
    """

    __defaults__ = None
    __kwdefaults__ = None

    @property
    def __code__(self) -> CodeType:
        code: CodeType = type(self).__call__.__code__
        return code


@lru_cache(maxsize=MAX_CACHED_GRAPHS)
def _built_in(process: int, settings: Settings) -> Graph:  # noqa: ARG001 - part of the cache key
    return build_graph(settings)
