"""Graphs that report spans to the providers of this process."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import Delay, Fail, ScriptedClient, Stall
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.remote import RemoteScorer
from egrm_graph.settings import BUNDLED_SCORER
from tests.clients.asking import client_of
from tests.clients.fake_server import FakeServer, echo_seeds, refuse
from tests.tracing.memory_store import MemoryStore, recording_graph
from tests.tracing.reported_telemetry import attributes, parents

PATH = "17+48=65;65-9=56;#56"
QUESTION: Any = {"question": "17+48-9"}
WAVERING = ["57", "56", "57", "56", "57"]


def graph(client: Any = None, **changes: Any) -> Any:
    scripted = client or ScriptedClient(fast=WAVERING, paths=[PATH] * 4)
    return build_graph(
        Settings(**{"preset": "published", "task": "arithmetic", "telemetry": "on", **changes}),
        client=scripted,
        scorer=None,
    )


def span_of(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [span for span in spans.get_finished_spans() if span.name == name]
    return found


@pytest.mark.parametrize("sync", [True, False])
async def test_a_run_is_one_tree_of_spans(spans: InMemorySpanExporter, sync: bool) -> None:
    verifier = graph()
    verification = (verifier.invoke(QUESTION) if sync else await verifier.ainvoke(QUESTION))["verification"]
    found = spans.get_finished_spans()
    assert parents(found) == {
        "invoke_workflow egrm": None,
        **dict.fromkeys(
            ("answer_fast", "check_uncertainty", "expand_cot", "score_paths", "select_answer"), "invoke_workflow egrm"
        ),
        "chat scripted": "expand_cot",
    }
    asked = [attributes(span) for span in found if span.name == "chat scripted"]
    # A wave of four. After 57, 56, 57, 56, the fifth could not open the gate.
    assert [call["egrm.node"] for call in asked] == ["answer_fast", *["expand_cot"] * 4]
    assert sum(call["gen_ai.usage.output_tokens"] for call in asked) == verification["usage"]["completion_tokens"]
    run = attributes(span_of(spans, "invoke_workflow egrm"))
    assert (run["egrm.run_id"], run["egrm.route"]) == (verification["run_id"], "reasoned")
    assert run["egrm.tokens.output"] == verification["usage"]["completion_tokens"]


async def test_a_record_names_its_trace(spans: InMemorySpanExporter) -> None:
    store = MemoryStore()
    verifier = recording_graph(ScriptedClient(fast=["56"] * 5), store, telemetry="on")
    await verifier.ainvoke(QUESTION, {"metadata": {"order": "7"}})
    context = span_of(spans, "invoke_workflow egrm").context
    assert context is not None
    (record,) = store.records
    assert (record["trace_id"], record["metadata"]) == (f"{context.trace_id:032x}", {"order": "7"})


async def test_a_run_is_under_the_callers_span(spans: InMemorySpanExporter) -> None:
    with trace.get_tracer("caller").start_as_current_span("request"):
        await graph().ainvoke(QUESTION)
    assert parents(spans.get_finished_spans())["invoke_workflow egrm"] == "request"


async def test_concurrent_runs_do_not_mix(spans: InMemorySpanExporter) -> None:
    verifier = graph()
    outs = await verifier.abatch([QUESTION] * 50)
    found = spans.get_finished_spans()
    run_of = {
        span.context.trace_id: attributes(span)["egrm.run_id"] for span in found if span.parent is None and span.context
    }
    assert sorted(run_of.values()) == sorted(out["verification"]["run_id"] for out in outs)
    for span in found:
        if span.name == "chat scripted" and span.context is not None:
            assert attributes(span)["egrm.request_id"].startswith(run_of[span.context.trace_id])


async def test_paths_that_start_early_are_under_the_run(spans: InMemorySpanExporter) -> None:
    client = ScriptedClient(fast=WAVERING, paths=[Delay(0.02, PATH)] * 4)
    await graph(client, speculate=True).ainvoke(QUESTION)
    found = spans.get_finished_spans()
    assert len({span.context.trace_id for span in found if span.context}) == 1
    assert [attributes(span)["egrm.node"] for span in found if span.name == "chat scripted"].count("expand_cot") == 4


async def test_a_lost_sample_is_counted_but_is_not_an_error(spans: InMemorySpanExporter) -> None:
    client = ScriptedClient(fast=["56", Fail("lost"), "56", "56", "56"])
    await graph(client, samples=5, stopping="all", waves=1).ainvoke(QUESTION)
    span = span_of(spans, "chat scripted")
    assert (span.status.status_code, attributes(span)["egrm.lost"]) == (StatusCode.UNSET, 1)


async def test_a_failed_call_ends_as_failed_and_the_run_goes_on(spans: InMemorySpanExporter) -> None:
    client = ScriptedClient(fast=[Fail("17 broke off", fails_call=True)] * 5, paths=[PATH] * 4)
    await graph(client, stopping="all", waves=1).ainvoke(QUESTION)
    failed = [span for span in spans.get_finished_spans() if span.status.status_code == StatusCode.ERROR]
    assert [(span.name, attributes(span)["error.type"]) for span in failed] == [("chat scripted", "ServerError")]
    assert failed[0].status.description is None


async def test_a_failed_run_ends_its_spans(spans: InMemorySpanExporter) -> None:
    def broken(*_: Any) -> str:
        raise KeyError("17+48")

    with pytest.raises(KeyError):
        await graph(ScriptedClient(broken)).ainvoke(QUESTION)
    ends = {span.name: attributes(span).get("error.type") for span in spans.get_finished_spans()}
    assert ends == {"chat scripted": "KeyError", "answer_fast": "KeyError", "invoke_workflow egrm": "KeyError"}


async def test_a_cancelled_run_ends_its_spans(spans: InMemorySpanExporter) -> None:
    running = asyncio.create_task(graph(ScriptedClient(fast=[Stall()] * 5)).ainvoke(QUESTION))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    ends = {span.name: attributes(span).get("error.type") for span in spans.get_finished_spans()}
    assert ends == {"chat scripted": "cancelled", "answer_fast": "cancelled", "invoke_workflow egrm": "cancelled"}


async def test_texts_are_reported_only_with_content(spans: InMemorySpanExporter) -> None:
    await graph().ainvoke(QUESTION)
    assert "17+48" not in json.dumps([attributes(span) for span in spans.get_finished_spans()])
    spans.clear()
    await graph(telemetry="content").ainvoke(QUESTION)
    asked = [attributes(span) for span in spans.get_finished_spans() if span.name == "chat scripted"]
    assert json.loads(asked[0]["gen_ai.input.messages"])[0]["parts"][0]["content"] == "17+48-9="
    answers = json.loads(asked[0]["gen_ai.output.messages"])
    assert [answer["parts"][0]["content"] for answer in answers] == WAVERING[:4]


async def test_a_server_receives_the_span_of_each_request(spans: InMemorySpanExporter) -> None:
    async with FakeServer(echo_seeds()).running() as server, client_of(server) as client:
        await graph(client, engine="vllm", model="tiny").ainvoke(QUESTION)
        sent = {request.headers["traceparent"].split("-")[2] for request in server.seen}
    calls = [span for span in spans.get_finished_spans() if span.name == "chat tiny"]
    assert sent == {f"{span.context.span_id:016x}" for span in calls if span.context}
    assert len(sent) == len(server.seen)


async def test_a_scorers_server_receives_the_span_of_its_node(spans: InMemorySpanExporter) -> None:
    server = FakeServer(refuse(400), served=(BUNDLED_SCORER,), context=256)
    client = ScriptedClient(fast=WAVERING, paths=[PATH] * 4)
    async with server.running():
        scorer = RemoteScorer(bundled(BUNDLED_SCORER), [server.url])
        await build_graph(
            Settings(preset="published", task="arithmetic", telemetry="on"), client=client, scorer=scorer
        ).ainvoke(QUESTION)
        await scorer.aclose()
    context = span_of(spans, "score_paths").context
    assert context is not None
    sent = {request.headers["traceparent"] for request in server.seen if request.path == "/pooling"}
    assert [header.split("-")[2] for header in sent] == [f"{context.span_id:016x}"]


@pytest.mark.parametrize("telemetry", ["on", "content"])
async def test_the_api_key_is_in_no_span_if_a_server_echoes_it(spans: InMemorySpanExporter, telemetry: str) -> None:
    echo = refuse(400, "Bearer sk-123 is not valid; nor is sk-123")
    async with FakeServer(echo).running() as server, client_of(server, api_key="sk-123") as client:
        await graph(client, engine="vllm", model="tiny", api_key="sk-123", telemetry=telemetry).ainvoke(QUESTION)
    found = spans.get_finished_spans()
    reported = [(attributes(span), span.status.description) for span in found]
    assert "is not valid" in json.dumps(reported) or telemetry == "on"
    assert "sk-123" not in json.dumps(reported)
