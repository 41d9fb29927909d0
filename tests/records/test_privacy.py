"""What is never recorded, and what is not where the caller does not want it."""

import json
from typing import Any

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import Fail, ScriptedClient
from egrm_graph.errors import ServerError
from egrm_graph.records.privacy import metadata_of, redacted, scrubbed, summarised, without_texts
from tests.clients.asking import client_of
from tests.clients.fake_server import FakeServer, refuse
from tests.test_graph import RIGHT, SCORER, WRONG
from tests.tracing.memory_store import MemoryStore, recording_graph
from tests.tracing.records import record


def same(one: str, other: str) -> bool:
    return one == other


def test_a_summary_has_no_prompts_and_no_texts_but_the_numbers() -> None:
    whole = record()
    short = summarised(whole)
    assert (short["level"], short["prompts"]) == ("summary", [])
    told = short["verification"]
    assert told is not None
    assert [sample["text"] for sample in told["samples"]] == [None] * 5
    assert [(path["text"], path["score"]) for path in told["paths"]] == [
        (None, 0.91),
        (None, 0.12),
        (None, 0.88),
        (None, None),
    ]
    assert [sample["answer"] for sample in told["samples"]] == ["42", "32", "42", "42", "32"]
    assert all(each["tokens"] is None for call in short["calls"] for each in call["generated"])
    assert whole == record()


def test_without_texts_nothing_that_was_written_is_left() -> None:
    whole = record()["asked"]
    assert whole is not None
    asked = {**whole, "question": "SECRET 17+25", "history": [{"role": "user", "content": "SECRET"}]}
    blank = without_texts(record(asked=asked, error="ValueError: SECRET", metadata={"who": "SECRET"}), same)
    told = json.dumps(blank)
    for text in ("SECRET", "17+25", '"42"', '"32"', "know"):
        assert text not in told
    verification = blank["verification"]
    assert verification is not None
    assert [sample["answer"] for sample in verification["samples"]] == [f"answer {n}" for n in (1, 2, 1, 1, 2)]
    assert [path["answer"] for path in verification["paths"]] == ["answer 1", "answer 2", "answer 1", None]
    assert verification["answer"] == "answer 1"
    assert blank["asked"] is not None
    assert blank["asked"]["reference"] == "answer 1"


def test_redaction_reaches_every_text_and_leaves_the_run_as_it_was() -> None:
    whole = record(error="42")
    clean = redacted(whole, lambda text: text.replace("42", "[number]"))
    assert "42" not in json.dumps({**clean, "settings": {}})
    assert whole == record(error="42")


@pytest.mark.parametrize("level", ["summary", "full"])
async def test_a_graph_records_what_its_hook_lets_through(level: str) -> None:
    store = MemoryStore()
    client = ScriptedClient(fast=["57", "56"] * 3, paths=[WRONG, RIGHT, WRONG, Fail("17 lost")])
    graph = recording_graph(client, store, SCORER, lambda text: text.replace("17", "[name]"), trace_level=level)
    told = (await graph.ainvoke({"question": "17+48-9"}))["verification"]
    assert "17" in told["paths"][0]["text"]
    (kept,) = store.records
    assert "[name]+48-9" in json.dumps(kept)
    for text in ("17+", "17 lost"):
        assert text not in json.dumps(kept)


async def test_a_graph_without_texts() -> None:
    store = MemoryStore()
    client = ScriptedClient(fast=["57", "56"] * 3, paths=[WRONG, RIGHT, WRONG, WRONG])
    graph = recording_graph(client, store, SCORER, trace_texts=False)
    await graph.ainvoke({"question": "17+48-9", "reference": "56"})
    (kept,) = store.records
    assert kept["verification"] is not None
    assert (kept["texts"], kept["verification"]["answer"]) == (False, "answer 2")
    # Whole values, for an id may begin with the same digits; and no part of any longer text.
    for text in ('"57"', '"56"', "17+48", "65;", "#56"):
        assert text not in json.dumps(kept)


async def test_the_key_is_nowhere_even_where_the_server_echoes_it() -> None:
    key = "sk-very-secret"
    refused = refuse(500, f"Authorization: Bearer {key} is over its quota")
    store = MemoryStore()
    settings: dict[str, Any] = {"task": "arithmetic", "trace_level": "full", "api_key": key}
    async with FakeServer(refused).running() as server, client_of(server, api_key=key, attempts=2) as client:
        graph = build_graph(Settings(**settings), client=client, scorer=None, store=store)
        told = (await graph.ainvoke({"question": "1+1"}))["verification"]
    assert told["status"] == "abstained"
    (kept,) = store.records
    assert kept["calls"][0]["retries"][0]["reason"]
    assert kept["calls"][0]["server"] == server.url
    assert key not in json.dumps(kept)
    assert "Bearer" not in json.dumps(kept).replace("Bearer ***", "")


async def test_an_authorisation_that_an_error_tells_is_in_no_part_of_the_record() -> None:
    store, lost = MemoryStore(), Fail("refused: Bearer abc.def")
    graph = recording_graph(ScriptedClient(fast=["57", lost, "56", "55", lost], paths=[lost] * 4), store)
    told = (await graph.ainvoke({"question": "1+1"}))["verification"]
    assert "abc.def" in json.dumps(told)
    assert "Bearer ***" in json.dumps(store.records)
    assert "abc.def" not in json.dumps(store.records)


def test_whatever_is_named_like_a_secret_is_no_metadata() -> None:
    given = {"user": "ada", "openai_api_key": "x", "Authorization": "x", "langgraph_step": 1, "n": 3, "list": [1]}
    assert metadata_of(given) == {"user": "ada", "n": "3"}


def test_errors_are_told_without_authorisation() -> None:
    assert scrubbed(str(ServerError("refused: Bearer abc.def, key s3cret")), "s3cret") == "refused: Bearer ***, key ***"
