"""`egrm trace prune`: delete the oldest runs."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.trace.trace_options import DEFAULT_STORE, StoreOption
from egrm_graph.errors import InputError
from egrm_graph.terminal.terminal_text import shortened
from egrm_graph.tracing.filter import moment
from egrm_graph.tracing.limits import DAY_S


def prune(
    store: StoreOption = DEFAULT_STORE,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Delete runs that started before a date, or are older than an age (7d)."),
    ] = None,
    keep_mb: Annotated[
        float | None,
        typer.Option(min=0, metavar="MB", help="Delete the oldest runs until the store fits."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete the oldest runs and free their space. In a folder of JSON lines, this deletes complete files.

    Exit status: 0 if it is done, 1 if you declined.
    """
    from egrm_graph.tracing.opening import prune as delete

    keep_days = _days(older_than)
    if keep_days is None and keep_mb is None:
        raise InputError("say what to delete: --older-than 30d, or --keep-mb 100")
    found = delete(store, keep_days, keep_mb, dry=True)
    description = f"{found.runs:,} runs ({found.bytes / 1e6:,.1f} MB) in {shortened(str(store), 200)}"
    err = Console(stderr=True, highlight=False)
    if found.runs and not yes and not typer.confirm(f"Delete {description}?", err=True):
        raise typer.Exit(1)
    if found.runs:
        delete(store, keep_days, keep_mb)
    err.print(Text(f"Deleted {description}."), soft_wrap=True)


def _days(older_than: str | None) -> float | None:
    if older_than is None:
        return None
    try:
        return max(0.0, time.time() - moment(older_than)) / DAY_S
    except ValueError as error:
        raise InputError(f"--older-than {older_than!r}: {error}") from error
