"""`egrm trace diff`: what two runs differ in."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from egrm_graph.cli.trace.trace_options import DEFAULT_STORE, RunArgument, StoreOption
from egrm_graph.terminal.tables import Table, standard_output
from egrm_graph.terminal.terminal_text import MOST, one_line

SHOWN = 500
"""Characters of a text on a terminal, from where the two begin to differ."""


def diff(
    first: RunArgument,
    second: RunArgument,
    store: StoreOption = DEFAULT_STORE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the differences as JSON.")] = False,
) -> None:
    """Compare two runs: settings, prompts, votes, route, answer, paths and cost, where they differ.

    Long texts are shown from where they begin to differ; --json has all of them.

    Exit status: 0 where they differ in nothing, 1 where they do.
    """
    from egrm_graph.tracing.store_reading import record_of
    from egrm_graph.viewing.run_comparison import differences

    one, other = record_of(store, first), record_of(store, second)
    out = standard_output()
    found = differences(one, other, None if as_json else SHOWN if out.is_terminal else MOST)
    if as_json:
        typer.echo(json.dumps([asdict(difference) for difference in found], indent=1))
    else:
        table = Table("", *(one_line(run["run_id"]) for run in (one, other)))
        for difference in found:
            table.add_row(*map(one_line, (difference.what, difference.first, difference.second)))
        out.print(table if found else Text("The two runs differ in nothing but their time."))
    raise typer.Exit(1 if found else 0)
