"""The metrics that arrive at a reader of the SDK."""

from typing import Any

from egrm_graph.errors import ServerError
from tests.tracing.records import PROMPT, call, record, verification
from tests.tracing.reported_telemetry import ReportedTelemetry, changed, drive

OF: dict[str, Any] = {"egrm.model": "egrm-tiny", "egrm.task": "arithmetic"}
ASKED: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "vllm",
    "gen_ai.request.model": "egrm-tiny",
    "server.address": "localhost",
    "server.port": 8000,
}


async def test_runs_are_counted_by_route_and_status() -> None:
    reported = ReportedTelemetry()
    direct = record(verification=verification(route="direct", paths=[]), ending="degraded")
    for ended in (record(), record(), direct, record(verification=None, ending="failed", error="ServerError: no")):
        reported.receiver.started("egrm-tiny", "arithmetic").ended(ended)
    counted = {(labels["egrm.route"], labels["egrm.status"]): n for labels, n in reported.points["egrm.runs"]}
    assert counted == {("reasoned", "ok"): 2, ("direct", "degraded"): 1, ("none", "failed"): 1}


async def test_a_run_records_its_tokens_uncertainty_and_duration() -> None:
    reported = ReportedTelemetry()
    await drive(reported.receiver.started("egrm-tiny", "arithmetic"), record())
    points = reported.points
    routed = {**OF, "egrm.route": "reasoned"}
    assert points["egrm.tokens"] == [
        ({**routed, "egrm.token.kind": "input"}, 60),
        ({**routed, "egrm.token.kind": "output"}, 116),
        ({**routed, "egrm.token.kind": "cached"}, 24),
        ({**routed, "egrm.token.kind": "cancelled"}, 0),
    ]
    assert points["egrm.uncertainty"] == [({**OF, "egrm.measure": "consensus"}, 0.6)]
    assert points["egrm.run.duration"] == [({**routed, "egrm.status": "ok"}, 0.131)]


async def test_calls_record_tokens_and_duration_by_the_conventions() -> None:
    reported = ReportedTelemetry()
    await drive(reported.receiver.started("egrm-tiny", "arithmetic"), record())
    points = reported.points
    # 28 ms, and 48, 58, 68 and 78; 12 tokens for each of five prompts, 4 for each of nine seeds
    assert points["gen_ai.client.operation.duration"] == [(ASKED, 0.28)]
    assert points["gen_ai.client.token.usage"] == [
        ({**ASKED, "gen_ai.token.type": "input"}, 60),
        ({**ASKED, "gen_ai.token.type": "output"}, 36),
    ]
    assert "egrm.retries" not in points


def test_a_failed_call_is_counted_by_error_class_without_tokens() -> None:
    reported = ReportedTelemetry()
    run = reported.receiver.started("egrm-tiny", "arithmetic")
    retries = [{"at_ms": 2.0, "reason": "503"}] * 3
    failed = changed(call("answer_fast", 0, [1], 1.0, 5.0), ending="failed", usage=None, retries=retries)
    try:
        with run.call(failed, PROMPT):
            raise ServerError("17+25 broke off")
    except ServerError:
        pass
    points = reported.points
    assert points["gen_ai.client.operation.duration"] == [({**ASKED, "error.type": "ServerError"}, 0.004)]
    assert points["egrm.retries"] == [(ASKED, 3)]
    assert "gen_ai.client.token.usage" not in points
