"""The records of runs, however they end."""

import asyncio
import gc
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from egrm_graph import RunSettings, Settings
from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient, Stall
from egrm_graph.errors import InputError
from egrm_graph.records.record import Record
from tests.test_graph import RIGHT, SCORER, WRONG
from tests.tracing.memory_store import MemoryStore, recording_graph

FAST: list[Item] = ["57", "56", "57", "56", "57"]
PATHS: list[Item] = [WRONG, RIGHT, WRONG, Fail("the server went away")]


async def recorded(client: ScriptedClient, asked: dict[str, Any] | None = None, **changes: Any) -> Record:
    store = MemoryStore()
    graph = recording_graph(client, store, changes.pop("scorer", SCORER), **changes)
    await graph.ainvoke(asked or {"question": "17+48-9"})
    (record,) = store.records
    return record


async def test_a_reasoned_run() -> None:
    store = MemoryStore()
    graph = recording_graph(ScriptedClient(fast=FAST, paths=PATHS), store, SCORER, preset="published", stopping="all")
    verdict = (await graph.ainvoke({"question": "17+48-9", "reference": "56"}))["verification"]
    (record,) = store.records
    assert record["verification"] == verdict
    assert record["asked"] is not None
    assert (record["asked"]["question"], record["asked"]["reference"]) == ("17+48-9", "56")
    assert (record["ending"], record["error"], record["model"], record["scorer"]) == (
        "degraded",
        None,
        "scripted",
        "table",
    )
    assert [node["name"] for node in record["nodes"]] == list(verdict["timing_ms"])
    assert record["classes"] == [0, 1, 0, 1, 0]
    assert record["margin"] == pytest.approx(-0.2)
    assert [node["reasons"] for node in record["nodes"]] == [
        [],
        [],
        ["1 of 4 paths lost: the server went away"],
        [],
        [],
    ]
    assert record["why"] == [
        "3 of 5 fast answers say 57; 1 other answer. consensus 0.6, threshold 0.8: not certain, so the run reasoned.",
        "Scores by answer: 56 0.900 in 1 path, 57 0.400 in 2 paths. "
        "By weighted_vote, path 2 is chosen: 56, score 0.900.",
    ]


async def test_every_call_is_recorded_with_its_prompt() -> None:
    client = ScriptedClient(fast=FAST, paths=PATHS)
    record = await recorded(client, waves=1)
    assert [call["request_id"] for call in record["calls"]] == [call.request_id for call in client.calls]
    assert [tuple(call["seeds"]) for call in record["calls"]] == [call.seeds for call in client.calls]
    assert [record["prompts"][call["prompt"] or 0] for call in record["calls"]] == [
        [dict(part) for part in call.prompt] for call in client.calls
    ]
    assert len(record["prompts"]) == 2
    assert [call["ending"] for call in record["calls"]] == ["ok", "ok", "ok", "ok", "failed"]
    assert record["calls"][-1]["error"] == "ServerError: the server went away"
    assert record["calls"][0]["sampling"]["max_tokens"] == 64
    for call in record["calls"]:
        assert 0 <= call["started_ms"] <= call["ended_ms"] <= record["ms"]


async def test_the_source_of_every_setting_is_recorded() -> None:
    store = MemoryStore()
    graph = recording_graph(ScriptedClient(fast=["57"] * 4), store, SCORER, samples=3)
    config: Any = {"configurable": {"egrm": {"threshold": 0.7, "seed": 5}}}
    await graph.ainvoke({"question": "17+48-9"}, config, context=RunSettings(threshold=0.6))
    (record,) = store.records
    assert {name: (record["settings"][name], source) for name, source in record["sources"].items()} == {
        "samples": (3, "build"),
        "task": ("arithmetic", "build"),
        "trace_level": ("full", "build"),
        "model": ("scripted", "build"),
        "seed": (5, "configurable"),
        "threshold": (0.6, "context"),
    }
    assert record["settings"].keys() == Settings.model_fields.keys() - {"api_key"}


async def test_recording_tokens_does_not_change_the_run() -> None:
    text = Completion(
        "57", "stop", 2, tokens=("5", "7"), logprobs=(-0.1, -0.2), top_logprobs=({"6": -3.0, "5": -0.1}, {"7": -0.2})
    )
    client = ScriptedClient(fast=[text] * 5, labels={})
    record = await recorded(client, trace_tokens=1, waves=1)
    assert record["calls"][0]["generated"][0]["tokens"] == {
        "texts": ["5", "7"],
        "logprobs": [-0.1, -0.2],
        "alternatives": [{"5": -0.1}, {"7": -0.2}],
    }
    assert record["calls"][0]["first_token_ms"] is not None
    assert client.calls[0].sampling is not None
    assert client.calls[0].sampling.logprobs == 1
    verdict = record["verification"]
    assert verdict is not None
    assert (verdict["samples"][0]["logprobs"], verdict["samples"][0]["top_logprobs"]) == (None, None)


async def test_a_failed_run_is_recorded() -> None:
    store = MemoryStore()
    graph = recording_graph(ScriptedClient(), store)
    with pytest.raises(InputError):
        await graph.ainvoke({"question": ""})
    (record,) = store.records
    assert (record["ending"], record["verification"], record["asked"]) == ("failed", None, None)
    assert record["error"] is not None
    assert record["error"].startswith("InputError: ")
    assert [(node["name"], node["error"] == record["error"]) for node in record["nodes"]] == [("answer_fast", True)]


async def test_a_cancelled_run_is_recorded_with_its_open_calls() -> None:
    store, client = MemoryStore(), ScriptedClient(fast=FAST, paths=[Stall()] * 4)
    graph = recording_graph(client, store, SCORER)
    run = asyncio.create_task(graph.ainvoke({"question": "17+48-9"}))
    while sum(".expand_cot." in call.request_id for call in client.calls) < 4:
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    (record,) = store.records
    assert (record["ending"], record["verification"]) == ("cancelled", None)
    assert record["asked"] is not None
    assert [call["ending"] for call in record["calls"][-4:]] == ["cancelled"] * 4
    assert [node["name"] for node in record["nodes"]] == ["answer_fast", "check_uncertainty", "expand_cot"]


async def test_an_abandoned_run_is_recorded_when_the_graph_is_closed() -> None:
    store = MemoryStore()
    graph = recording_graph(ScriptedClient(fast=FAST, paths=PATHS), store)
    stream = graph.astream({"question": "17+48-9"}, stream_mode="updates")
    assert "answer_fast" in await anext(stream)
    await stream.aclose()
    del graph, stream
    gc.collect()
    (record,) = store.records
    assert record["ending"] == "unfinished"
    assert not store.closed


async def test_each_run_of_a_thread_with_a_checkpointer_is_recorded() -> None:
    store = MemoryStore()
    graph = recording_graph(ScriptedClient(fast=["57"] * 5), store)
    graph.checkpointer = InMemorySaver()
    config: Any = {"configurable": {"thread_id": "7"}, "metadata": {"ticket": 12, "api_token": "hush"}}
    first = (await graph.ainvoke({"question": "1+1"}, config))["verification"]
    second = (await graph.ainvoke({"question": "2+2"}, config))["verification"]
    assert [record["run_id"] for record in store.records] == [first["run_id"], second["run_id"]]
    assert [record["metadata"] for record in store.records] == [{"thread_id": "7", "ticket": "12"}] * 2


def test_a_sync_run_is_recorded() -> None:
    store = MemoryStore()
    graph = recording_graph(ScriptedClient(fast=["57"] * 5), store)
    verdict = graph.invoke({"question": "1+1"})["verification"]
    assert [record["run_id"] for record in store.records] == [verdict["run_id"]]


async def test_many_runs_at_once_do_not_mix() -> None:
    store = MemoryStore()
    graph = recording_graph(ScriptedClient(fast=FAST, paths=PATHS), store, SCORER)
    inputs = [{"question": f"{i}+48-9"} for i in range(40)]
    outputs = await asyncio.gather(*(graph.ainvoke(item) for item in inputs))
    by_id = {record["run_id"]: record for record in store.records}
    assert len(by_id) == 40
    for output in outputs:
        record = by_id[output["verification"]["run_id"]]
        assert record["verification"] == output["verification"]
        assert {call["request_id"].split(".")[0] for call in record["calls"]} == {record["run_id"]}


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (1.0, 20)])
async def test_a_share_of_the_runs_is_recorded(share: float, count: int) -> None:
    store = MemoryStore()
    graph = recording_graph(ScriptedClient(fast=["57"] * 5), store, trace_share=share)
    for _ in range(20):
        await graph.ainvoke({"question": "1+1"})
    assert len(store.records) == count


async def test_nothing_is_recorded_at_level_off() -> None:
    store = MemoryStore()
    graph = recording_graph(ScriptedClient(fast=["57"] * 5), store, trace_level="off")
    await graph.ainvoke({"question": "1+1"})
    assert store.records == []


class FailingStore(MemoryStore):
    def put(self, record: Record) -> None:
        raise OSError("no space left on device")


async def test_a_failing_store_loses_the_record_but_not_the_run() -> None:
    graph = recording_graph(ScriptedClient(fast=["57"] * 5), FailingStore())
    with pytest.warns(UserWarning, match="a run was not recorded: OSError: no space left"):
        verdict = (await graph.ainvoke({"question": "1+1"}))["verification"]
    assert verdict["answer"] == "57"


@pytest.mark.filterwarnings("error")
async def test_a_failing_store_does_not_fail_the_run_if_warnings_are_errors() -> None:
    graph = recording_graph(ScriptedClient(fast=["57"] * 5), FailingStore())
    assert (await graph.ainvoke({"question": "1+1"}))["verification"]["answer"] == "57"
