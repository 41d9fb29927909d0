"""The published JSON schema of records."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.judgments.judgment import Judgment, Unit
from egrm_graph.records.privacy import redacted, summarized, without_texts
from egrm_graph.records.record import Record
from egrm_graph.records.record_schema import schema
from egrm_graph.settings import Settings
from egrm_graph.tracing.encoding import encoded
from egrm_graph.verification import Judged
from tests import trees
from tests.tracing.records import path, record, sample, verification

PUBLISHED = Path(__file__).parents[2] / "docs" / "trace.schema.json"
JUDGED = Judged(
    texts=["a", "b"],
    unfit=[None, "it is empty"],
    same_as=[0, 1],
    calls=[[], ["look_up"]],
    items=[0, 1],
    conversation=[("user", "hello")],
    tools=None,
    rubric=None,
    code="3f2a91c0",
)


def errors_of(made: Record | dict[str, Any]) -> list[str]:
    validator = jsonschema_rs.Draft202012Validator(json.loads(PUBLISHED.read_text()))
    plain = json.loads(encoded(made))  # type: ignore[arg-type]
    return [error.message for error in validator.iter_errors(plain)]


def test_the_published_schema_matches_the_code() -> None:
    assert json.loads(PUBLISHED.read_text()) == schema()


def test_fields_are_described_by_their_docstrings() -> None:
    made = schema()
    assert made["properties"]["started_at"]["description"] == "Seconds since the epoch."
    assert (
        made["$defs"]["Path"]["description"] == "One reasoning path, with its score in [0, 1], or None and the reason."
    )


SUMMARY = record(
    level="summary",
    texts=False,
    prompts=[],
    verification=verification(samples=[sample("answer 1", 1, text=None)], paths=[path("answer 1", 0.9, 0, text=None)]),
)
JUDGING = record(verification=verification(winner=0, rewards=[0.9, None], unrewarded=[None, "empty"], tie=0.1))
TREE = trees.of_four_leaves()
BARE = record(
    verification=None,
    asked=None,
    ending="failed",
    error="\ud800",
    nodes=[],
    calls=[],
    prompts=[],
    classes=[],
    margin=None,
)


@pytest.mark.parametrize("made", [record(), SUMMARY, JUDGING, BARE, TREE, {**record(), "later": 1}])
def test_every_record_is_valid(made: Record) -> None:
    assert errors_of(made) == []


def test_a_judged_run_is_valid() -> None:
    made = record()
    assert made["asked"] is not None
    made["asked"]["judged"] = JUDGED
    assert errors_of(made) == []


def test_a_verification_of_the_graph_is_valid() -> None:
    from egrm_graph import build_graph

    client = ScriptedClient(fast=["56", "57", "58", "59", "60"], paths=["17+48=65;65-9=56;#56"] * 4)
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=None)
    verdict = graph.invoke({"question": "17+48-9", "reference": "56"})["verification"]
    assert errors_of(record(verification=verdict)) == []


def test_a_judgment_is_valid() -> None:
    units = (Unit("Tone", "Be kind.", "Candidate A is kind.", "A"), Unit("Length", "Be brief.", "Both are.", "MIXED"))
    for judgment in (Judgment("1", units, ("unit 3 is lost",), "A").as_record(), None):
        made = record(verification=verification(paths=[path("A", 0.9, 0, judgment=judgment)]))
        for reduced in (made, summarized(made), redacted(made, str.upper), without_texts(made, str.__eq__)):
            assert errors_of(reduced) == []


def test_a_tree_without_texts_is_valid() -> None:
    for made in (summarized(TREE), redacted(TREE, str.upper), without_texts(TREE, str.__eq__)):
        assert errors_of(made) == []


def test_a_branch_without_its_place_is_rejected() -> None:
    made = json.loads(encoded(TREE))
    del made["verification"]["paths"][0]["branch"]["anchors"][0]["taken"]["id"]
    assert errors_of(made) != []


@pytest.mark.parametrize("bad", [{"ending": "well"}, {"ms": "1"}, {"verification": {}}, {"sources": {"x": "mars"}}])
def test_invalid_values_are_rejected(bad: dict[str, Any]) -> None:
    assert errors_of(record(**bad)) != []


def test_a_record_with_a_missing_field_is_rejected() -> None:
    made: dict[str, Any] = dict(record())
    del made["why"]
    assert errors_of(record()) == []
    validator = jsonschema_rs.Draft202012Validator(json.loads(PUBLISHED.read_text()))
    assert [error.message for error in validator.iter_errors(made)] == ['"why" is a required property']
