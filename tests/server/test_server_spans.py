"""vLLM's spans are children of the span of the call that they belong to."""

from __future__ import annotations

import os
import subprocess

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from egrm_graph.clients.client import Sampling
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.records.record import NodeRun
from egrm_graph.settings import Settings
from egrm_graph.telemetry.opentelemetry_spans import OpenTelemetrySpans
from egrm_graph.telemetry.span_attributes import service_of
from egrm_graph.tracing.recorded_client import CallLog, RecordedClient
from egrm_graph.verification import Message
from tests.server.conftest import Served, Starting, without_server
from tests.tracing.otlp import Receiver, attributes_of

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

PROMPT = [Message(role="user", content="17+48=")]
SAMPLING = Sampling(temperature=1.0, max_tokens=8, thinking="off")


@pytest.fixture(scope="module")
def server(started: dict[str, Starting]) -> Served:
    """A server that sends its spans to the receiver within a second."""
    python = os.environ.get("EGRM_VLLM_PYTHON")
    exporter = "import opentelemetry.exporter.otlp.proto.http.trace_exporter"
    if python and subprocess.run([python, "-c", exporter], check=False, capture_output=True).returncode:
        without_server(f"{python} has no opentelemetry-exporter-otlp, so vLLM sends no spans")
    return started["receiver"].wait()


async def test_the_servers_spans_are_children_of_our_call(server: Served, receiver: Receiver) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    service = service_of(Settings(engine="vllm", model=server.name))
    run = OpenTelemetrySpans(service, tracer_provider=provider).started(server.name, "arithmetic")
    client = ServerClient(server.name, [server.base_url])
    node = NodeRun(name="answer_fast", started_ms=0, ended_ms=0, usage=None, reasons=[], error=None)
    try:
        with run.node(node):
            recorded = RecordedClient(client, CallLog(run), 0)
            drawn = await recorded.sample(PROMPT, SAMPLING, seeds=[1, 2, 3], request_id="run.answer_fast.0")
    finally:
        await client.aclose()
    (ours,) = [span for span in exporter.get_finished_spans() if span.name == f"chat {server.name}"]
    assert ours.context is not None
    assert run.trace_id is not None
    theirs = receiver.of_trace(run.trace_id, 3)
    assert {span.parent_span_id.hex() for span in theirs} == {f"{ours.context.span_id:016x}"}
    attributes = [attributes_of(span) for span in theirs]
    named = [(span.name, values["gen_ai.request.id"]) for span, values in zip(theirs, attributes, strict=True)]
    assert named == [("llm_request", "chatcmpl-run.answer_fast.0")] * 3  # one for each seed
    n_tokens = sum(values["gen_ai.usage.completion_tokens"] for values in attributes)
    assert n_tokens == drawn.usage["completion_tokens"]
    assert (ours.attributes or {})["gen_ai.usage.output_tokens"] == n_tokens
