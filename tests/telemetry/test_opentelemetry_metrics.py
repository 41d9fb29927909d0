"""Metrics as they arrive at a reader of the SDK."""

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
    told = ReportedTelemetry()
    direct = record(verification=verification(route="direct", paths=[]), ending="degraded")
    for each in (record(), record(), direct, record(verification=None, ending="failed", error="ServerError: no")):
        told.spans_to.started("egrm-tiny", "arithmetic").ended(each)
    counted = {(of["egrm.route"], of["egrm.status"]): n for of, n in told.points["egrm.runs"]}
    assert counted == {("reasoned", "ok"): 2, ("direct", "degraded"): 1, ("none", "failed"): 1}


async def test_a_run_gives_its_tokens_uncertainty_and_duration() -> None:
    told = ReportedTelemetry()
    await drive(told.spans_to.started("egrm-tiny", "arithmetic"), record())
    points = told.points
    routed = {**OF, "egrm.route": "reasoned"}
    assert points["egrm.tokens"] == [
        ({**routed, "egrm.token.kind": "input"}, 60),
        ({**routed, "egrm.token.kind": "output"}, 116),
        ({**routed, "egrm.token.kind": "cached"}, 24),
        ({**routed, "egrm.token.kind": "cancelled"}, 0),
    ]
    assert points["egrm.uncertainty"] == [({**OF, "egrm.measure": "consensus"}, 0.6)]
    assert points["egrm.run.duration"] == [({**routed, "egrm.status": "ok"}, 0.131)]


async def test_calls_give_tokens_and_duration_as_the_conventions_say() -> None:
    told = ReportedTelemetry()
    await drive(told.spans_to.started("egrm-tiny", "arithmetic"), record())
    points = told.points
    # 28 ms, and 48, 58, 68 and 78; 12 tokens in each of five prompts, 4 each for nine seeds
    assert points["gen_ai.client.operation.duration"] == [(ASKED, 0.28)]
    assert points["gen_ai.client.token.usage"] == [
        ({**ASKED, "gen_ai.token.type": "input"}, 60),
        ({**ASKED, "gen_ai.token.type": "output"}, 36),
    ]
    assert "egrm.retries" not in points


def test_a_failed_call_is_counted_by_its_error_and_has_no_tokens() -> None:
    told = ReportedTelemetry()
    run = told.spans_to.started("egrm-tiny", "arithmetic")
    retries = [{"at_ms": 2.0, "reason": "503"}] * 3
    failed = changed(call("answer_fast", 0, [1], 1.0, 5.0), ending="failed", usage=None, retries=retries)
    try:
        with run.call(failed, PROMPT):
            raise ServerError("17+25 broke off")
    except ServerError:
        pass
    points = told.points
    assert points["gen_ai.client.operation.duration"] == [({**ASKED, "error.type": "ServerError"}, 0.004)]
    assert points["egrm.retries"] == [(ASKED, 3)]
    assert "gen_ai.client.token.usage" not in points
