"""`egrm trace export`: whole records as JSON lines."""

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
        Path | None, typer.Option(help="A file, which only you can read; standard output without it.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file in --output.")] = False,
) -> None:
    """Write the records of runs as JSON lines, the newest first.

    docs/trace.schema.json is their schema. They are in ASCII: no text in them can reach a terminal.
    """
    from egrm_graph.tracing.store_reading import reading

    with reading(store):  # it has to be there, before a file is made
        pass
    if output is None:
        _write(store, which, sys.stdout.buffer)
        return
    if output.exists() and not overwrite:
        raise SettingsError(f"{output} is there already; name another --output, or add --overwrite")
    output.unlink(missing_ok=True)
    with open(output, "xb", opener=_private) as file:
        _write(store, which, file)


def _write(store: Path, which: Filter, out: BinaryIO) -> None:
    from egrm_graph.tracing.store_reading import records

    for record in records(store, which):
        out.write(json.dumps(record).encode() + b"\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
