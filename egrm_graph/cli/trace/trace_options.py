"""The options that the commands on recorded runs share."""

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
    typer.Option("--store", metavar="PATH", envvar="EGRM_TRACE_STORE", help="Where runs were recorded."),
]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, as many of its characters as it takes, or `latest`.")
]
DEFAULT_STORE: Path = Settings.model_fields["trace_store"].default


def filter_of(given: Mapping[str, Any]) -> Filter:
    """Raises:
    InputError: a value is out of range, or values do not fit together.
    """
    try:
        return Filter(**given)
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
    },
)
"""Gives a command the options that choose runs; it gets them as its argument `which`."""
