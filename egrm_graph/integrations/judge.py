"""The graph of a reward function, which trainers send to other processes: `Judge`."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from types import CodeType
from typing import Any

from egrm_graph.errors import SettingsError
from egrm_graph.graph import build_graph
from egrm_graph.integrations.calling import JUDGES_NOTHING, Graph
from egrm_graph.settings import Settings
from egrm_graph.tasks import judges_candidates

GRAPHS_KEPT = 16
"""Of those built from settings, in one process."""
_building: dict[int, threading.Lock] = {}


class Judge:
    """The graph behind a reward function. It is built from settings at the first call, in each process that calls it.

    Trainers pickle reward functions for other processes, or fork with them. A graph lives in one process: it has
    threads and connections. So its settings are what is sent, and a process keeps the graph that it built from them for
    the next reward function with the same settings.

    Raises:
        SettingsError: the settings are for a task that judges nothing.
    """

    def __init__(self, given: Graph | Settings) -> None:
        if isinstance(given, Settings) and not judges_candidates(given):
            raise SettingsError(JUDGES_NOTHING)
        self._given = given

    @property
    def graph(self) -> Graph:
        """The graph of this process.

        Raises:
            SetupError: the settings do not fit together, or a model cannot be loaded.
        """
        if not isinstance(self._given, Settings):
            return self._given
        process = os.getpid()  # a forked process has a copy of its parent's graphs, without their threads
        settings: Any = self._given  # frozen, and so hashable, which a type checker does not see
        with _building.setdefault(process, threading.Lock()):
            return _built_in(process, settings)

    def __getstate__(self) -> dict[str, Any]:
        if not isinstance(self._given, Settings):
            raise SettingsError(
                "a graph cannot be sent to another process; make the reward function from Settings, "
                "and each process builds its own graph"
            )
        return self.__dict__


class CoroutineFunction:
    """Makes `inspect.iscoroutinefunction` true of an instance whose `__call__` is async.

    verl, and TRL before 1.16, decide by it whether to await a reward function. Python before 3.12 has no mark for such
    an instance, but takes whatever has the attributes of a function for one.
    """

    __defaults__ = None
    __kwdefaults__ = None

    @property
    def __code__(self) -> CodeType:
        code: CodeType = type(self).__call__.__code__
        return code


@lru_cache(maxsize=GRAPHS_KEPT)
def _built_in(process: int, settings: Settings) -> Graph:  # noqa: ARG001 - part of the key
    return build_graph(settings)
