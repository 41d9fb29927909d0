"""Set up OpenTelemetry from a graph's settings."""

from __future__ import annotations

from egrm_graph.errors import MissingExtra, SettingsError
from egrm_graph.records.privacy import Redactor, scrubbed
from egrm_graph.settings import Settings
from egrm_graph.telemetry.progress import Spans
from egrm_graph.telemetry.span_attributes import service_of


def telemetry(settings: Settings, redact: Redactor | None = None, engine: str | None = None) -> Spans | None:
    """Create the spans and metrics that the settings ask for. None if telemetry is off.

    They go to the program's providers, which may be set up later. Only `telemetry='content'` reports texts, redacted by
    `redact`. `engine` is the client's engine, if it differs from the settings.

    Raises:
        MissingExtra: OpenTelemetry is not installed.
        SettingsError: The settings both request and forbid texts.
    """
    if settings.telemetry == "off":
        return None
    if settings.telemetry == "content" and not settings.trace_texts:
        raise SettingsError("telemetry='content' reports texts, but trace_texts=False forbids them; set telemetry='on'")
    try:
        from egrm_graph.telemetry.opentelemetry_spans import OpenTelemetrySpans
    except ImportError as error:
        raise MissingExtra(
            f"telemetry={settings.telemetry!r} needs OpenTelemetry, which is not installed ({error}). Install it: "
            "pip install 'egrm-graph[otel]'",
            "otel",
        ) from error
    redact_all = _with_secrets_removed(settings, redact) if settings.telemetry == "content" else None
    return OpenTelemetrySpans(service_of(settings, engine), redact=redact_all)


def _with_secrets_removed(settings: Settings, redact: Redactor | None) -> Redactor:
    secret = "" if settings.api_key is None else settings.api_key.get_secret_value().strip()

    def redact_all(text: str) -> str:
        clean = scrubbed(text, secret)
        return clean if redact is None else redact(clean)

    return redact_all
