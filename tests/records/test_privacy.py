"""What is never recorded, and what the caller can exclude."""

import copy
import json
from typing import Any

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import Fail, ScriptedClient
from egrm_graph.errors import ServerError
from egrm_graph.judgments.judgment import Judgment, Unit
from egrm_graph.records.privacy import metadata_of, redacted, scrubbed, summarized, without_texts
from egrm_graph.scoring.written_text import step_texts
from egrm_graph.verification import PathStep
from tests.clients.asking import client_of
from tests.clients.fake_server import FakeServer, refuse
from tests.test_graph import RIGHT, SCORER, WRONG
from tests.tracing.memory_store import MemoryStore, recording_graph
from tests.tracing.records import record


def same(one: str, other: str) -> bool:
    return one == other


def test_a_summary_has_numbers_but_no_prompts_or_texts() -> None:
    full = record()
    short = summarized(full)
    assert (short["level"], short["prompts"]) == ("summary", [])
    verdict = short["verification"]
    assert verdict is not None
    assert [sample["text"] for sample in verdict["samples"]] == [None] * 5
    assert [(path["text"], path["score"]) for path in verdict["paths"]] == [
        (None, 0.91),
        (None, 0.12),
        (None, 0.88),
        (None, None),
    ]
    assert [sample["answer"] for sample in verdict["samples"]] == ["42", "32", "42", "42", "32"]
    assert all(completion["tokens"] is None for call in short["calls"] for completion in call["generated"])
    assert full == record()


def test_the_scores_of_steps_stay_and_their_texts_go() -> None:
    full = copy.deepcopy(record())  # what it is made of is shared
    assert full["verification"] is not None
    steps = [PathStep(end=10, score=0.9), PathStep(end=25, score=0.25)]
    full["verification"]["paths"][0]["steps"] = steps
    for reduced in (
        summarized(full),
        without_texts(full, same),
        redacted(full, lambda text: text.replace("17", "[number]")),
    ):
        assert reduced["verification"] is not None
        reduced_path = reduced["verification"]["paths"][0]
        assert reduced_path.get("steps") == steps
        assert step_texts(reduced_path) is None  # they were counted in a text that is gone


def test_a_judgment_keeps_its_structure_and_sub_verdicts_and_its_texts_go() -> None:
    full = copy.deepcopy(record())  # what it is made of is shared
    assert full["verification"] is not None
    judgment = Judgment("SECRET 1", (Unit("SECRET 2", "SECRET 3", "SECRET 4", "A"),), ("unit 2: SECRET 5",), "B")
    full["verification"]["paths"][0]["judgment"] = judgment.as_record()
    hidden, named = {}, {}
    for name, reduced in (
        ("summary", summarized(full)),
        ("without", without_texts(full, same)),
        ("redacted", redacted(full, lambda text: text.replace("SECRET", "[name]"))),
    ):
        assert reduced["verification"] is not None
        found = reduced["verification"]["paths"][0].get("judgment")
        assert found is not None
        assert (found["structure"], found["consistent"], len(found["lost"])) == ("depth", False, 1)
        hidden[name], named[name] = found["solution"], [tuple(unit.values()) for unit in found["units"]]
        assert name == "summary" or "SECRET" not in json.dumps(reduced)
    assert hidden == {"summary": None, "without": "(withheld)", "redacted": "[name] 1"}
    assert named == {
        "summary": [("", "", "", "A")],
        "without": [("(withheld)",) * 3 + ("A",)],
        "redacted": [("[name] 2", "[name] 3", "[name] 4", "A")],
    }


def test_without_texts_no_text_remains() -> None:
    original = record()["asked"]
    assert original is not None
    asked = {**original, "question": "SECRET 17+25", "history": [{"role": "user", "content": "SECRET"}]}
    blank = without_texts(record(asked=asked, error="ValueError: SECRET", metadata={"who": "SECRET"}), same)
    verdict = json.dumps(blank)
    for text in ("SECRET", "17+25", '"42"', '"32"', "know"):
        assert text not in verdict
    verification = blank["verification"]
    assert verification is not None
    assert [sample["answer"] for sample in verification["samples"]] == [f"answer {n}" for n in (1, 2, 1, 1, 2)]
    assert [path["answer"] for path in verification["paths"]] == ["answer 1", "answer 2", "answer 1", None]
    assert verification["answer"] == "answer 1"
    assert blank["asked"] is not None
    assert blank["asked"]["reference"] == "answer 1"


def test_redaction_reaches_every_text_and_does_not_change_the_input() -> None:
    original = record(error="42")
    clean = redacted(original, lambda text: text.replace("42", "[number]"))
    assert "42" not in json.dumps({**clean, "settings": {}})
    assert original == record(error="42")


@pytest.mark.parametrize("level", ["summary", "full"])
async def test_a_graph_records_redacted_texts(level: str) -> None:
    store = MemoryStore()
    client = ScriptedClient(fast=["57", "56"] * 3, paths=[WRONG, RIGHT, WRONG, Fail("17 lost")])
    graph = recording_graph(client, store, SCORER, lambda text: text.replace("17", "[name]"), trace_level=level)
    verdict = (await graph.ainvoke({"question": "17+48-9"}))["verification"]
    assert "17" in verdict["paths"][0]["text"]
    (recorded,) = store.records
    assert "[name]+48-9" in json.dumps(recorded)
    for text in ("17+", "17 lost"):
        assert text not in json.dumps(recorded)


async def test_a_graph_records_no_texts_if_they_are_off() -> None:
    store = MemoryStore()
    client = ScriptedClient(fast=["57", "56"] * 3, paths=[WRONG, RIGHT, WRONG, WRONG])
    graph = recording_graph(client, store, SCORER, trace_texts=False)
    await graph.ainvoke({"question": "17+48-9", "reference": "56"})
    (recorded,) = store.records
    assert recorded["verification"] is not None
    assert (recorded["texts"], recorded["verification"]["answer"]) == (False, "answer 2")
    # Full JSON values, because an id may start with the same digits, and parts of longer texts.
    for text in ('"57"', '"56"', "17+48", "65;", "#56"):
        assert text not in json.dumps(recorded)


async def test_the_api_key_is_not_recorded_if_a_server_echoes_it() -> None:
    key = "sk-very-secret"
    refused = refuse(500, f"Authorization: Bearer {key} is over its quota")
    store = MemoryStore()
    settings: dict[str, Any] = {"task": "arithmetic", "trace_level": "full", "api_key": key}
    async with FakeServer(refused).running() as server, client_of(server, api_key=key, attempts=2) as client:
        graph = build_graph(Settings(**settings), client=client, scorer=None, store=store)
        verdict = (await graph.ainvoke({"question": "1+1"}))["verification"]
    assert verdict["status"] == "abstained"
    (recorded,) = store.records
    assert recorded["calls"][0]["retries"][0]["reason"]
    assert recorded["calls"][0]["server"] == server.url
    assert key not in json.dumps(recorded)
    assert "Bearer" not in json.dumps(recorded).replace("Bearer ***", "")


async def test_an_authorization_header_in_an_error_is_not_recorded() -> None:
    store, lost = MemoryStore(), Fail("refused: Bearer abc.def")
    graph = recording_graph(ScriptedClient(fast=["57", lost, "56", "55", lost], paths=[lost] * 4), store)
    verdict = (await graph.ainvoke({"question": "1+1"}))["verification"]
    assert "abc.def" in json.dumps(verdict)
    assert "Bearer ***" in json.dumps(store.records)
    assert "abc.def" not in json.dumps(store.records)


def test_metadata_named_like_a_secret_is_not_recorded() -> None:
    metadata = {"user": "ada", "openai_api_key": "x", "Authorization": "x", "langgraph_step": 1, "n": 3, "list": [1]}
    assert metadata_of(metadata) == {"user": "ada", "n": "3"}


def test_authorization_is_removed_from_errors() -> None:
    assert scrubbed(str(ServerError("refused: Bearer abc.def, key s3cret")), "s3cret") == "refused: Bearer ***, key ***"
