"""OpenTelemetry for a graph: what its settings say."""

from __future__ import annotations

from egrm_graph.errors import MissingExtra, SettingsError
from egrm_graph.records.privacy import Rewrite, scrubbed
from egrm_graph.settings import Settings
from egrm_graph.telemetry.progress import Spans
from egrm_graph.telemetry.span_attributes import service_of


def telemetry(settings: Settings, redact: Rewrite | None = None, engine: str | None = None) -> Spans | None:
    """Spans and metrics for the providers that the program has set up, before or after; None where they are off. Texts
    are told with `content` only, as `redact` lets them through. `engine` is the client's, if not the settings'.

    Raises:
        MissingExtra: OpenTelemetry is not installed.
        SettingsError: texts are to be told and not to be told.
    """
    if settings.telemetry == "off":
        return None
    if settings.telemetry == "content" and not settings.trace_texts:
        raise SettingsError("telemetry='content' tells texts, and trace_texts=False tells none; set telemetry='on'")
    try:
        from egrm_graph.telemetry.opentelemetry_spans import OpenTelemetrySpans
    except ImportError as error:
        raise MissingExtra(
            f"telemetry={settings.telemetry!r} needs OpenTelemetry, which is not installed ({error}). Install it: "
            "pip install 'egrm-graph[otel]'",
            "otel",
        ) from error
    rewrite = _scrubbing(settings, redact) if settings.telemetry == "content" else None
    return OpenTelemetrySpans(service_of(settings, engine), rewrite=rewrite)


def _scrubbing(settings: Settings, redact: Rewrite | None) -> Rewrite:
    secret = "" if settings.api_key is None else settings.api_key.get_secret_value().strip()

    def rewrite(text: str) -> str:
        without = scrubbed(text, secret)
        return without if redact is None else redact(without)

    return rewrite
