"""`egrm trace list`: the runs of a store, the newest first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.trace.trace_options import DEFAULT_STORE, Store, with_filter
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.terminal.terminal_text import one_line
from egrm_graph.terminal.verification_text import COLOURS
from egrm_graph.tracing.filter import Filter
from egrm_graph.tracing.summary_row import Row

SHOWN_ID = 8


@with_filter
def list_runs(
    which: Filter,
    store: Store = DEFAULT_STORE,
    limit: Annotated[int, typer.Option(min=1, help="Runs at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List recorded runs, the newest first."""
    from egrm_graph.tracing.store_reading import runs

    found = islice(runs(store, which), limit)
    if as_json:
        for row in found:
            typer.echo(json.dumps(row._asdict(), allow_nan=False))
    else:
        show(store, list(found), standard_output())


def show(store: Path, rows: Sequence[Row], out: Console) -> None:
    """A table of the runs."""
    if not rows:
        out.print(Text(one_line(f"There are no such runs in {store}.")), soft_wrap=True)
        return
    figures = (Column(heading, right=True) for heading in ("value", "tokens", "ms"))
    texts = (Column(heading, below=True) for heading in ("answer", "question"))
    table = Table("run", "started", "ending", "route", *figures, *texts)
    for row in rows:
        table.add_row(*_cells(row))
    out.print(table)


def _cells(row: Row) -> list[Text]:
    ending = Text(one_line(row.ending), COLOURS.get(row.ending, "bold red"))
    value = "" if row.value is None or row.threshold is None else f"{row.value:.2f} / {row.threshold:.2f}"
    answer = Text("" if row.answer is None else one_line(row.answer))
    if row.correct is not None:
        answer.append(" ✓" if row.correct else " ✗", "green" if row.correct else "red")
    return [
        Text(one_line(row.run_id[:SHOWN_ID])),
        Text(f"{datetime.fromtimestamp(row.started_at):%m-%d %H:%M}"),
        ending,
        Text(row.route or ""),
        Text(value),
        Text(f"{row.completion_tokens:,}"),
        Text(f"{row.ms:,.0f}"),
        answer,
        Text("" if row.question is None else one_line(row.question), "dim"),
    ]
