"""`egrm trace diff`: the differences between two runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from egrm_graph.cli.trace.trace_options import DEFAULT_STORE, RunArgument, StoreOption
from egrm_graph.terminal.tables import Table, standard_output
from egrm_graph.terminal.terminal_text import MAX_PIPE_CHARACTERS, one_line

EXCERPT_CHARACTERS = 500
"""The most characters of a text on a terminal, from the first difference."""


def diff(
    first: RunArgument,
    second: RunArgument,
    store: StoreOption = DEFAULT_STORE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the differences as JSON.")] = False,
) -> None:
    """Show where two runs differ: settings, prompts, votes, route, answer, paths, and cost.

    Long texts are shown from the first difference; --json prints them completely.

    Exit status: 0 if the runs are equal, 1 if they differ.
    """
    from egrm_graph.tracing.store_reading import record_of
    from egrm_graph.viewing.run_comparison import differences

    one, other = record_of(store, first), record_of(store, second)
    out = standard_output()
    found = differences(one, other, None if as_json else EXCERPT_CHARACTERS if out.is_terminal else MAX_PIPE_CHARACTERS)
    if as_json:
        typer.echo(json.dumps([asdict(difference) for difference in found], indent=1))
    else:
        table = Table("", *(one_line(run["run_id"]) for run in (one, other)))
        for difference in found:
            table.add_row(*map(one_line, (difference.what, difference.first, difference.second)))
        out.print(table if found else Text("The two runs are equal, except for the time."))
    raise typer.Exit(1 if found else 0)
