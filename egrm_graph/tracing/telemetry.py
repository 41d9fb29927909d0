"""OpenTelemetry for a graph: what its settings say."""

from __future__ import annotations

from egrm_graph.errors import SettingsError
from egrm_graph.settings import Settings
from egrm_graph.tracing.attributes import service_of
from egrm_graph.tracing.spans import Spans


def telemetry(settings: Settings) -> Spans | None:
    """Spans and metrics for the providers that the program has set up, before or after; None where they are off.

    Raises:
        SettingsError: OpenTelemetry is not installed.
    """
    if settings.telemetry == "off":
        return None
    try:
        from egrm_graph.tracing.opentelemetry_spans import OpenTelemetrySpans
    except ImportError as error:
        raise SettingsError(
            f"telemetry={settings.telemetry!r} needs OpenTelemetry, which is missing ({error}): "
            "pip install 'egrm-graph[otel]', or set telemetry='off'"
        ) from error
    return OpenTelemetrySpans(service_of(settings), texts=settings.telemetry == "content")
