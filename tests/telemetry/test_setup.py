"""Telemetry settings, and providers that fail without affecting the run."""

import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from pydantic import SecretStr

from egrm_graph.errors import MissingExtra, ServerError, SettingsError
from egrm_graph.runtime.warn_once import TelemetryWarning
from egrm_graph.settings import Settings
from egrm_graph.telemetry.opentelemetry_spans import OpenTelemetrySpans
from egrm_graph.telemetry.setup import telemetry
from egrm_graph.telemetry.span_attributes import service_of
from tests.tracing.records import PROMPT, call, node, record
from tests.tracing.reported_telemetry import VLLM, drive

NODE = node("answer_fast", 0.0, 1.0)
CALL = call("answer_fast", 0, [1], 1.0, 29.0)


class Broken(trace.Tracer):
    """A tracer that fails from a certain call on."""

    def __init__(self, provider: TracerProvider, after: int) -> None:
        self._inner, self._left = provider.get_tracer("inner"), after

    def start_span(self, *args: Any, **options: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("the provider is broken")
        return self._inner.start_span(*args, **options)

    def start_as_current_span(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


class BrokenProvider(trace.TracerProvider):
    def __init__(self, after: int) -> None:
        self._after = after

    def get_tracer(self, *args: Any, **options: Any) -> trace.Tracer:
        return Broken(TracerProvider(), self._after)


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_a_broken_provider_warns_once_and_the_run_continues(after: int) -> None:
    spans = OpenTelemetrySpans(service_of(VLLM), tracer_provider=BrokenProvider(after))

    async def three() -> None:
        for _ in range(3):
            await drive(spans.started("egrm-tiny", "arithmetic"), record())

    with pytest.warns(TelemetryWarning, match="the provider is broken") as caught:
        await three()
    assert len(caught) == 1


def test_a_broken_provider_does_not_hide_the_runs_error() -> None:
    spans = OpenTelemetrySpans(service_of(VLLM), tracer_provider=BrokenProvider(0))

    def lost() -> None:
        run = spans.started("egrm-tiny", "arithmetic")
        with run.node(NODE), run.call(CALL, PROMPT):
            raise ServerError("lost")

    with pytest.warns(TelemetryWarning), pytest.raises(ServerError, match="lost"):
        lost()


async def test_a_broken_provider_does_not_fail_the_run_if_warnings_are_errors() -> None:
    spans = OpenTelemetrySpans(service_of(VLLM), tracer_provider=BrokenProvider(0))
    await drive(spans.started("egrm-tiny", "arithmetic"), record())


def test_telemetry_off_creates_no_spans() -> None:
    assert telemetry(Settings()) is None
    on, content = telemetry(Settings(telemetry="on")), telemetry(Settings(telemetry="content"))
    assert isinstance(on, OpenTelemetrySpans)
    assert isinstance(content, OpenTelemetrySpans)
    assert on.redact is None
    assert content.redact is not None


def test_texts_are_redacted_and_never_contain_the_api_key() -> None:
    spans = telemetry(Settings(telemetry="content", api_key=SecretStr("sk-1")), lambda text: text.replace("Ann", "N."))
    assert isinstance(spans, OpenTelemetrySpans)
    assert spans.redact is not None
    assert spans.redact("Ann sent sk-1, and Bearer xyz") == "N. sent ***, and Bearer ***"


def test_requesting_and_forbidding_texts_is_an_error() -> None:
    with pytest.raises(SettingsError, match="trace_texts=False"):
        telemetry(Settings(telemetry="content", trace_texts=False))


def test_a_missing_opentelemetry_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "egrm_graph.telemetry.opentelemetry_spans")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtra, match=r"telemetry='on' needs OpenTelemetry.*egrm-graph\[otel\]"):
        telemetry(Settings(telemetry="on"))
