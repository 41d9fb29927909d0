"""`egrm trace export`: full records as JSON lines."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from egrm_graph.cli.trace.trace_options import DEFAULT_STORE, StoreOption, with_filter
from egrm_graph.errors import SettingsError
from egrm_graph.tracing.filter import Filter


@with_filter
def export(
    which: Filter,
    store: StoreOption = DEFAULT_STORE,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file, which only you can read, instead of standard output.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the --output file.")] = False,
) -> None:
    """Write the records of runs as JSON lines, newest first.

    docs/trace.schema.json is their schema. The output is ASCII, so no text in it can affect a terminal.
    """
    from egrm_graph.tracing.store_reading import reading

    with reading(store):  # fails before it creates a file
        pass
    if output is None:
        _write(store, which, sys.stdout.buffer)
        return
    if output.exists() and not overwrite:
        raise SettingsError(f"{output} exists; name another --output, or add --overwrite")
    output.unlink(missing_ok=True)
    with open(output, "xb", opener=_private) as file:
        _write(store, which, file)


def _write(store: Path, which: Filter, out: BinaryIO) -> None:
    from egrm_graph.tracing.store_reading import records

    for record in records(store, which):
        out.write(json.dumps(record).encode() + b"\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
