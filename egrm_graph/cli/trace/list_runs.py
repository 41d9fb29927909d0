"""`egrm trace list`: the runs of a store, newest first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.trace.trace_options import DEFAULT_STORE, StoreOption, with_filter
from egrm_graph.errors import InputError
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.terminal.terminal_text import one_line
from egrm_graph.tracing.filter import Filter
from egrm_graph.tracing.run_summary import COLUMN_NAMES, COLUMNS, RunColumn, RunSummary

_COLUMNS_HELP = f"Show these columns, separated by commas: {', '.join(COLUMN_NAMES)}."


@with_filter
def list_runs(
    which: Filter,
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many runs.")] = 50,
    columns: Annotated[str | None, typer.Option(metavar="NAMES", help=_COLUMNS_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines with every column.")] = False,
) -> None:
    """List recorded runs, newest first."""
    from egrm_graph.tracing.store_reading import runs

    chosen = _chosen(columns)
    found = islice(runs(store, which), limit)
    if as_json:
        names = COLUMN_NAMES if columns is None else [column.name for column in chosen]
        for row in found:
            typer.echo(json.dumps({name: getattr(row, name) for name in names}, allow_nan=False))
    else:
        show(store, list(found), chosen, standard_output())


def show(store: Path, rows: Sequence[RunSummary], columns: Sequence[RunColumn], out: Console) -> None:
    """Print the runs as a table."""
    if not rows:
        out.print(Text(one_line(f"No runs in {store} match.")), soft_wrap=True)
        return
    columns = sorted(columns, key=lambda column: column.wraps)  # only the last columns of a table may wrap
    table = Table(*(Column(column.heading, right=column.align_right, below=column.wraps) for column in columns))
    for row in rows:
        table.add_row(*(_cell(column, row) for column in columns))
    out.print(table)


def _chosen(names: str | None) -> list[RunColumn]:
    if names is None:
        return [column for column in COLUMNS if column.default]
    wanted = [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in COLUMN_NAMES]:
        raise InputError(f"--columns: {unknown[0]!r} is not a column; choose from {', '.join(COLUMN_NAMES)}")
    return [COLUMNS[COLUMN_NAMES.index(name)] for name in wanted]


def _cell(column: RunColumn, row: RunSummary) -> Text:
    return Text(" ").join(Text(one_line(text), style) for text, style in column.cell_of(row))
