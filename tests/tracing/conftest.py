"""Fixtures for warnings, the process's OpenTelemetry providers, and a real backend."""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Iterator

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.tracing.phoenix import PROJECT, Phoenix, started
from tests.tracing.warning_texts import Warnings


@pytest.fixture
def seen() -> Iterator[Warnings]:
    """The warnings of the test, from all threads."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield found


@pytest.fixture(scope="session")
def provider() -> TracerProvider:
    provider = TracerProvider(resource=Resource({PROJECT: "tests"}))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider())
    return provider


@pytest.fixture(scope="session")
def _exporter(provider: TracerProvider) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture
def spans(_exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    """The spans that graphs of this process report during the test."""
    _exporter.clear()
    return _exporter


@pytest.fixture(scope="session")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    """Arize Phoenix, for all tests."""
    python = os.environ.get("EGRM_PHOENIX_PYTHON")
    if not python:
        _without_backend("EGRM_PHOENIX_PYTHON names no interpreter that has Arize Phoenix; `make test` installs one")
        raise AssertionError
    if subprocess.run([python, "-c", "import phoenix"], check=False, capture_output=True).returncode:
        _without_backend(f"{python} has no Arize Phoenix; pip install arize-phoenix")
    with started(python, tmp_path_factory.mktemp("phoenix")) as found:
        yield found


def _without_backend(reason: str) -> None:
    """Skip the test, or fail it where every test has to run."""
    message = f"NO REAL OPENTELEMETRY BACKEND WAS TESTED: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
