"""The options that the `egrm trace` commands share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from egrm_graph.cli.setting_options import with_fields
from egrm_graph.errors import InputError
from egrm_graph.settings import Settings, explain
from egrm_graph.tracing.filter import Filter

StoreOption = Annotated[
    Path,
    typer.Option("--store", metavar="PATH", envvar="EGRM_TRACE_STORE", help="The store that runs were recorded in."),
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the start of one, or `latest`.")]
DEFAULT_STORE: Path = Settings.model_fields["trace_store"].default


def filter_of(fields: Mapping[str, Any]) -> Filter:
    """Create a filter from the options.

    Raises:
        InputError: A value is invalid, or values contradict each other.
    """
    try:
        return Filter(**fields)
    except ValidationError as error:
        raise InputError(explain(error)) from error


with_filter = with_fields(
    Filter,
    "which",
    filter_of,
    panel=lambda _: "Which runs",
    metavars={
        "route": "ROUTE",
        "ending": "ENDING",
        "task": "NAME",
        "model": "NAME",
        "since": "TIME",
        "until": "TIME",
        "measure": "NAME",
        "uncertainty": "LOW..HIGH",
        "min_tokens": "N",
        "min_ms": "MS",
        "where": "CONDITION",
    },
)
"""Adds the filter options to a command, which receives the filter as `which`."""
