"""A graph without references is collected with its threads and sessions, however often it ran."""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.integrations.graph_calls import Graph
from egrm_graph.state import Input

UNREACHABLE = Settings(engine="vllm", model="none", base_url=("http://127.0.0.1:9/v1",), attempts=1, task="pairwise")


def unreachable() -> Graph:
    return build_graph(UNREACHABLE)


def scripted() -> Graph:
    return build_graph(Settings(task="pairwise"), client=ScriptedClient(fast=["A", "B"] * 10), scorer=None)


@pytest.mark.parametrize("built", [unreachable, scripted])
@pytest.mark.parametrize("sync", [True, False])
def test_a_graph_that_ran_is_released(built: Callable[[], Graph], sync: bool) -> None:
    others = set(threading.enumerate())

    def run() -> weakref.ref[Graph]:
        graph = built()
        inputs: Input = {"question": "1+1", "candidates": ["2", "3"]}
        for _ in range(2):
            _ = graph.invoke(inputs) if sync else asyncio.run(graph.ainvoke(inputs))
        return weakref.ref(graph)

    released = run()
    until = time.monotonic() + 5
    while released() is not None and time.monotonic() < until:
        time.sleep(0.01)  # the thread of the event loop releases the last request shortly after the answer
        gc.collect()
    assert released() is None
    left = [thread for thread in threading.enumerate() if thread not in others and thread.name.startswith("egrm-")]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)
