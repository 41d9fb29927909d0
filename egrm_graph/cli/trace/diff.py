"""`egrm trace diff`: what two runs differ in."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from egrm_graph.cli.text import shortened
from egrm_graph.cli.trace.options import DEFAULT_STORE, Run, Store

WIDTH = 160


def diff(
    first: Run,
    second: Run,
    store: Store = DEFAULT_STORE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the differences as JSON.")] = False,
) -> None:
    """Compare two runs: settings, prompts, votes, route, answer, paths and cost, where they differ.

    Exit status: 0 where they differ in nothing, 1 where they do.
    """
    from egrm_graph.tracing.reading import record_of
    from egrm_graph.viewing.comparison import differences

    one, other = record_of(store, first), record_of(store, second)
    found = differences(one, other)
    if as_json:
        typer.echo(json.dumps([asdict(difference) for difference in found], indent=1))
    else:
        table = Table(box=None, padding=(0, 1), header_style="bold")
        for heading in ("", one["run_id"], other["run_id"]):
            table.add_column(Text(shortened(heading, 40)), overflow="fold")
        for difference in found:
            sides = (difference.first, difference.second)
            table.add_row(Text(shortened(difference.what, 40)), *(Text(shortened(side, WIDTH)) for side in sides))
        out = Console(highlight=False)
        out.print(table if found else Text("The two runs differ in nothing but their time."))
    raise typer.Exit(1 if found else 0)
