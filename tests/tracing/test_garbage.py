"""A run creates no reference cycles, so Python's garbage collector has nothing to do after it."""

import gc
from typing import Any

import pytest

from egrm_graph.clients.scripted import Item, ScriptedClient
from tests.test_graph import RIGHT, SCORER, WRONG
from tests.tracing.memory_store import MemoryStore, recording_graph

SAME: list[Item] = ["56"] * 5
DIFFERENT: list[Item] = ["57", "56", "57", "56", "57"]
PATHS: list[Item] = [WRONG, RIGHT, WRONG, RIGHT]
RUNS = 10


@pytest.mark.parametrize(
    "changes",
    [
        {"trace_level": "off"},
        {"trace_level": "summary"},
        {"trace_level": "full"},
        {"trace_level": "full", "trace_tokens": 5},
        {"trace_level": "full", "deadline_s": 60.0},
        {"trace_level": "full", "max_completion_tokens": 10_000},
        {"trace_level": "full", "stopping": "sequential"},
        {"trace_level": "off", "telemetry": "content"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("spans")
@pytest.mark.parametrize("fast", [SAME, DIFFERENT], ids=["direct", "reasoned"])
async def test_a_run_creates_no_reference_cycles(fast: list[Item], changes: dict[str, Any]) -> None:
    graph = recording_graph(ScriptedClient(fast=fast, paths=PATHS), MemoryStore(), SCORER, **changes)
    # A thread that an earlier test left may add garbage of its own to one count, but not to all three.
    collected = await collected_after(graph)
    for _ in range(2):
        collected = collected if collected < 1 else await collected_after(graph)
    assert collected < 1


async def collected_after(graph: Any) -> float:
    """The average number of objects per run that the garbage collector has to free."""
    await graph.ainvoke({"question": "17+48-9"})
    gc.collect()
    gc.freeze()  # what exists so far is not counted, and takes no time
    gc.disable()
    try:
        for _ in range(RUNS):
            await graph.ainvoke({"question": "17+48-9"})
        return gc.collect() / RUNS
    finally:
        gc.enable()
        gc.unfreeze()
