"""The spans that arrive at a provider of the SDK."""

import asyncio
import json
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, TraceFlags

import egrm_graph
from egrm_graph.clients.observing import Observation, observed
from egrm_graph.errors import ServerError
from egrm_graph.records.privacy import Redactor
from egrm_graph.settings import Settings
from egrm_graph.telemetry.opentelemetry_spans import OpenTelemetrySpans
from egrm_graph.telemetry.span_attributes import service_of
from tests.clients.asking import ask, client_of
from tests.clients.fake_server import FakeServer, refuse, say
from tests.tracing.records import PROMPT, call, node, record
from tests.tracing.reported_telemetry import VLLM, ReportedTelemetry, attributes, changed, drive, parents, plain

NODE = node("answer_fast", 0.0, 1.0)
CALL = call("answer_fast", 0, [1], 1.0, 29.0)


async def test_calls_are_under_their_node_and_nodes_under_their_run() -> None:
    reported = ReportedTelemetry()
    await drive(reported.receiver.started("egrm-tiny", "arithmetic"), record())
    assert parents(reported.spans) == {
        "invoke_workflow egrm": None,
        "answer_fast": "invoke_workflow egrm",
        "check_uncertainty": "invoke_workflow egrm",
        "expand_cot": "invoke_workflow egrm",
        "score_paths": "invoke_workflow egrm",
        "select_answer": "invoke_workflow egrm",
        "chat egrm-tiny": "expand_cot",
    }
    within = [span.parent.span_id for span in reported.spans if span.name == "chat egrm-tiny" and span.parent]
    nodes = {span.name: span.context.span_id for span in reported.spans if span.context}
    assert within == [nodes["answer_fast"], *[nodes["expand_cot"]] * 4]
    assert len({span.context.trace_id for span in reported.spans if span.context}) == 1


async def test_the_attributes_of_spans() -> None:
    reported = ReportedTelemetry()
    run = reported.receiver.started("egrm-tiny", "arithmetic")
    with run.node(NODE), run.call(CALL, PROMPT):
        pass
    run.ended(record())
    span = reported.named("chat egrm-tiny")
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
    assert attributes(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "egrm-tiny",
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.max_tokens": 64,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.seed": 1,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.request.stream": True,
        "gen_ai.response.time_to_first_chunk": 0.002,
        "server.address": "localhost",
        "server.port": 8000,
        "egrm.node": "answer_fast",
        "egrm.kind": "sample",
        "egrm.request_id": "0123456789abcdef0123456789abcdef.answer_fast.0",
        "egrm.seeds": [1],
        "egrm.lost": 0,
        "egrm.retries": 0,
    }
    run_span = reported.named("invoke_workflow egrm")
    assert (run_span.kind, run_span.status.status_code) == (SpanKind.INTERNAL, StatusCode.UNSET)
    assert attributes(run_span) | {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "egrm",
        "egrm.model": "egrm-tiny",
        "egrm.task": "arithmetic",
        "egrm.route": "reasoned",
        "egrm.margin": -0.2,
    } == attributes(run_span)
    scope = run_span.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.version) == ("egrm_graph", egrm_graph.__version__)


async def test_a_call_to_a_model_in_this_process_is_an_internal_span() -> None:
    reported = ReportedTelemetry(Settings())
    run = reported.receiver.started("egrm-tiny", "arithmetic")
    with run.call(CALL, PROMPT):
        pass
    assert reported.named("chat egrm-tiny").kind == SpanKind.INTERNAL


async def test_texts_are_sent_only_if_requested() -> None:
    without_texts, with_texts = ReportedTelemetry(), ReportedTelemetry(redact=plain)
    for reported in (without_texts, with_texts):
        await drive(reported.receiver.started("egrm-tiny", "arithmetic"), record())
    everything = json.dumps([attributes(span) for span in without_texts.spans])
    assert "17+2" not in everything
    first = next(span for span in with_texts.spans if span.name == "chat egrm-tiny")
    assert json.loads(attributes(first)["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "17+25\nAnswer at once."}]}
    ]
    answered = json.loads(attributes(first)["gen_ai.output.messages"])
    assert [message["parts"][0]["content"] for message in answered] == ["= 42", "= 32", "= 42", "= 42", "= 32"]
    run_span = attributes(with_texts.named("invoke_workflow egrm"))
    assert json.loads(run_span["gen_ai.input.messages"])[0]["parts"][0]["content"] == "17+25"
    assert json.loads(run_span["gen_ai.output.messages"])[0]["parts"][0]["content"] == "42"


def fails(reported: ReportedTelemetry, error: BaseException, **changes: Any) -> None:
    run = reported.receiver.started("egrm-tiny", "arithmetic")
    words = f"{type(error).__name__}: {error}"
    with (
        pytest.raises(type(error)),
        run.node(node("answer_fast", 0.0, 1.0, error=words)),
        run.call(changed(CALL, error=words, **changes), []),
    ):
        raise error
    ending: Any = "cancelled" if changes["ending"] == "cancelled" else "failed"
    run.ended(record(ending=ending, error=words, verification=None))


def ends(reported: ReportedTelemetry) -> set[tuple[StatusCode, object, str | None]]:
    return {
        (span.status.status_code, attributes(span)["error.type"], span.status.description) for span in reported.spans
    }


def test_a_failure_ends_every_span_with_its_class_but_not_its_message() -> None:
    reported = ReportedTelemetry()
    fails(reported, ServerError("17+25 broke off"), ending="failed")
    assert len(reported.spans) == 3
    assert ends(reported) == {(StatusCode.ERROR, "ServerError", None)}
    assert [event for span in reported.spans for event in span.events] == []


def test_with_texts_a_failure_includes_its_message() -> None:
    reported = ReportedTelemetry(redact=plain)
    fails(reported, ServerError("17+25 broke off"), ending="failed")
    assert ends(reported) == {(StatusCode.ERROR, "ServerError", "ServerError: 17+25 broke off")}


def test_a_cancelled_run_ends_every_span_as_cancelled() -> None:
    reported = ReportedTelemetry()
    fails(reported, asyncio.CancelledError(), ending="cancelled")
    assert len(reported.spans) == 3
    assert ends(reported) == {(StatusCode.ERROR, "cancelled", None)}


def test_an_abandoned_run_ends_as_unfinished() -> None:
    reported = ReportedTelemetry()
    reported.receiver.started("egrm-tiny", "arithmetic").ended(record(ending="unfinished", verification=None))
    assert ends(reported) == {(StatusCode.ERROR, "unfinished", None)}


@pytest.mark.parametrize("ending", ["degraded", "abstained"])
def test_a_run_with_a_weak_verdict_is_not_an_error(ending: Any) -> None:
    reported = ReportedTelemetry()
    reported.receiver.started("egrm-tiny", "arithmetic").ended(record(ending=ending))
    (span,) = reported.spans
    assert (span.status.status_code, attributes(span)["egrm.status"]) == (StatusCode.UNSET, ending)


@pytest.mark.parametrize(("redact", "attributes_of_retry"), [(None, {}), (plain, {"egrm.reason": "503"})])
def test_retries_are_events_at_their_time(redact: Redactor | None, attributes_of_retry: dict[str, str]) -> None:
    reported = ReportedTelemetry(redact=redact)
    run = reported.receiver.started("egrm-tiny", "arithmetic")
    retries = [{"at_ms": 9.0, "reason": "503"}, {"at_ms": 19.0, "reason": "503"}]
    with run.call(changed(CALL, retries=retries), []):
        pass
    (span,) = reported.spans
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [
        ("egrm.retry", attributes_of_retry)
    ] * 2
    first, second = (event.timestamp for event in span.events)
    assert second - first == pytest.approx(10_000_000, abs=1000)  # ns
    assert span.end_time is not None
    assert span.end_time - second == pytest.approx(10_000_000, abs=5_000_000)


def test_a_run_ends_only_once() -> None:
    reported = ReportedTelemetry()
    run = reported.receiver.started("egrm-tiny", "arithmetic")
    run.ended(record())
    run.ended(record())
    assert len(reported.spans) == 1
    assert reported.points["egrm.runs"] == [
        (
            {"egrm.model": "egrm-tiny", "egrm.task": "arithmetic", "egrm.route": "reasoned", "egrm.status": "ok"},
            1,
        )
    ]


def test_a_run_is_under_its_callers_span() -> None:
    reported = ReportedTelemetry()
    with reported.provider.get_tracer("caller").start_as_current_span("request") as caller:
        run = reported.receiver.started("egrm-tiny", "arithmetic")
        with run.node(NODE):
            assert trace.get_current_span().get_span_context().span_id != caller.get_span_context().span_id
        assert trace.get_current_span() is caller
        run.ended(record())
    assert run.trace_id == format(caller.get_span_context().trace_id, "032x")
    assert parents(reported.spans) == {
        "answer_fast": "invoke_workflow egrm",
        "invoke_workflow egrm": "request",
        "request": None,
    }


async def test_200_concurrent_runs_do_not_mix() -> None:
    reported = ReportedTelemetry()

    async def one(i: int) -> None:
        mine = record(run_id=str(i))
        for own in mine["calls"]:
            own["request_id"] = f"{i}.{own['request_id'].split('.', 1)[1]}"
        await drive(reported.receiver.started("egrm-tiny", "arithmetic"), mine)

    await asyncio.gather(*(one(i) for i in range(200)))
    spans = reported.spans
    runs = {
        span.context.trace_id: attributes(span)["egrm.run_id"] for span in spans if span.parent is None and span.context
    }
    calls = [span for span in spans if span.name == "chat egrm-tiny"]
    assert (len(runs), len(calls)) == (200, 1000)
    for span in calls:
        assert span.context is not None
        assert attributes(span)["egrm.request_id"].split(".")[0] == runs[span.context.trace_id]


def test_runs_of_many_threads_do_not_mix() -> None:
    reported = ReportedTelemetry()

    def one() -> None:
        asyncio.run(drive(reported.receiver.started("egrm-tiny", "arithmetic"), record()))

    async def many() -> None:
        await asyncio.gather(*(asyncio.to_thread(one) for _ in range(8)))

    asyncio.run(many())
    assert len({span.context.trace_id for span in reported.spans if span.context}) == 8
    assert len(reported.spans) == 8 * 11


def test_headers_propagate_the_calls_span_without_baggage() -> None:
    reported = ReportedTelemetry()
    token = context.attach(baggage.set_baggage("authorization", "Bearer secret"))
    run = reported.receiver.started("egrm-tiny", "arithmetic")
    with run.node(NODE), run.call(CALL, PROMPT) as headers:
        current = trace.get_current_span().get_span_context()
    context.detach(token)
    assert headers == {"traceparent": f"00-{run.trace_id}-{current.span_id:016x}-{current.trace_flags:02x}"}


async def test_the_headers_reach_the_server_on_the_clients_own_loop() -> None:
    reported = ReportedTelemetry()
    async with FakeServer(refuse(503), say("56")).running() as server, client_of(server, api_key="k") as client:

        async def asked() -> str:
            run = reported.receiver.started("tiny", "arithmetic")
            with run.call(CALL, PROMPT) as headers:
                token = observed.set(Observation(headers))
                await ask(client)
                observed.reset(token)
            return headers["traceparent"]

        parent = await asked()
        await ask(client)
    sent = [(request.headers.get("traceparent"), request.headers.get("X-Request-Id")) for request in server.seen]
    assert sent == [(parent, "run.answer_fast.0"), (parent, "run.answer_fast.0"), (None, "run.answer_fast.0")]
    assert {request.headers["Authorization"] for request in server.seen} == {"Bearer k"}


def test_without_a_provider_nothing_is_sent() -> None:
    run = OpenTelemetrySpans(service_of(VLLM), tracer_provider=trace.NoOpTracerProvider()).started("m", "answer")
    with run.node(NODE), run.call(CALL, PROMPT) as headers:
        assert headers == {}
    run.ended(record())
    assert run.trace_id is None


async def test_the_headers_of_an_unsampled_run_say_so() -> None:
    spans = OpenTelemetrySpans(service_of(VLLM), redact=plain, tracer_provider=TracerProvider(sampler=ALWAYS_OFF))
    run = spans.started("egrm-tiny", "arithmetic")
    sent = await drive(run, record())
    assert {int(headers["traceparent"][-2:], 16) & TraceFlags.SAMPLED for headers in sent} == {0}
