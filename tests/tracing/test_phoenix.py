"""Spans in a real OpenTelemetry backend, sent by OTLP and read back through its API."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from tests.tracing.phoenix import PROJECT, Phoenix

pytestmark = [pytest.mark.backend, pytest.mark.timeout(600)]

PATH = "17+48=65;65-9=56;#56"
QUESTION: Any = {"question": "17+48-9"}
NODES = ("answer_fast", "check_uncertainty", "expand_cot", "score_paths", "select_answer")
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "telemetry.md"


@pytest.fixture(scope="module", autouse=True)
def sending(provider: TracerProvider, phoenix: Phoenix) -> Iterator[None]:
    """Send the spans of this process to the backend during these tests."""
    processor = SwitchedProcessor(OTLPSpanExporter(phoenix.traces_url))
    provider.add_span_processor(processor)
    yield
    processor.on = False


class SwitchedProcessor(SimpleSpanProcessor):
    """A processor that can be switched off, because a provider cannot remove one."""

    on = True

    def on_end(self, span: ReadableSpan) -> None:
        if self.on:
            super().on_end(span)


def edges(spans: list[dict[str, Any]]) -> set[tuple[str, str | None]]:
    """The names of each span and its parent."""
    names = {span["context"]["span_id"]: span["name"] for span in spans}
    return {(span["name"], names.get(span["parent_id"] or "")) for span in spans}


async def run(client: ScriptedClient, telemetry: Any = "on") -> tuple[dict[str, Any], str]:
    """A run's verification and its trace id."""
    graph = build_graph(
        Settings(preset="published", task="arithmetic", telemetry=telemetry), client=client, scorer=None
    )
    with trace.get_tracer("caller").start_as_current_span("request") as span:
        verification = (await graph.ainvoke(QUESTION))["verification"]
    return dict(verification), f"{span.get_span_context().trace_id:032x}"


async def test_a_run_arrives_as_one_tree_with_its_tokens(phoenix: Phoenix) -> None:
    verification, trace_id = await run(ScriptedClient(fast=["57", "56", "57", "56", "57"], paths=[PATH] * 4))
    spans = phoenix.spans("tests", trace_id, 12)
    assert edges(spans) == {
        ("request", None),
        ("invoke_workflow egrm", "request"),
        *((node, "invoke_workflow egrm") for node in NODES),
        ("chat scripted", "answer_fast"),
        ("chat scripted", "expand_cot"),
    }
    calls = [span for span in spans if span["name"] == "chat scripted"]
    # The client counts a token per character: 8 for "17+48-9=", 2 for each of 4 answers, 20 for each of 4 paths.
    tokens = [
        (call["attributes"]["gen_ai.usage.input_tokens"], call["attributes"]["gen_ai.usage.output_tokens"])
        for call in sorted(calls, key=lambda call: str(call["start_time"]))
    ]
    assert tokens == [(8, 8), *[(8, 20)] * 4]
    assert {call["span_kind"] for call in calls} == {"LLM"}  # Phoenix supports the conventions
    assert {call["attributes"]["llm.token_count.total"] for call in calls} == {16, 28}
    (run_span,) = [span for span in spans if span["name"] == "invoke_workflow egrm"]
    assert run_span["attributes"]["egrm.run_id"] == verification["run_id"]
    assert run_span["attributes"]["egrm.tokens.output"] == verification["usage"]["completion_tokens"] == 88
    assert {span["status_code"] for span in spans} == {"UNSET"}


async def test_an_error_arrives_as_one(phoenix: Phoenix) -> None:
    lost: list[Item] = [Fail("17+48 broke off", fails_call=True)] * 5
    _, trace_id = await run(ScriptedClient(fast=lost, paths=[PATH] * 4))
    failed = [span for span in phoenix.spans("tests", trace_id, 12) if span["status_code"] == "ERROR"]
    assert {(span["name"], span["attributes"]["error.type"], span["status_message"]) for span in failed} == {
        ("chat scripted", "ServerError", "")
    }


async def test_hostile_texts_arrive_without_losing_a_span(phoenix: Phoenix) -> None:
    hostile = "<script>alert(1)</script>\x00\x1b[31m\u202e\ud800 #56"
    _, trace_id = await run(ScriptedClient(fast=[hostile] * 5, paths=[hostile] * 4), "content")
    spans = phoenix.spans("tests", trace_id, 6)
    assert len(spans) == 6  # the caller, the run, three nodes, and one call: the gate is certain
    (first,) = [
        span for span in spans if span["attributes"].get("egrm.node") == "answer_fast" and "chat" in span["name"]
    ]
    assert "<script>alert(1)</script>" in first["attributes"]["gen_ai.output.messages"]


def test_the_pages_program_sends_a_run_of_the_bundled_model(phoenix: Phoenix) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": phoenix.url, "OTEL_RESOURCE_ATTRIBUTES": f"{PROJECT}=page"}
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **where}, timeout=120)
    spans = phoenix.spans("page", None, 7)
    assert {("invoke_workflow egrm", None), ("chat egrm-tiny", "answer_fast")} <= edges(spans)
    calls = [span for span in spans if span["name"] == "chat egrm-tiny"]
    (run_span,) = [span for span in spans if span["name"] == "invoke_workflow egrm"]
    for kind in ("input", "output"):
        of_calls = sum(call["attributes"][f"gen_ai.usage.{kind}_tokens"] for call in calls)
        assert of_calls == run_span["attributes"][f"egrm.tokens.{kind}"] > 0
