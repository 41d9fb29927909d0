"""`egrm trace show`: one run and everything that led to its verdict."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from egrm_graph.cli.trace.trace_options import DEFAULT_STORE, RunArgument, StoreOption
from egrm_graph.terminal.tables import standard_output


def show(
    run: RunArgument,
    store: StoreOption = DEFAULT_STORE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the full record as JSON.")] = False,
) -> None:
    """Show one run: its verdict and explanation, votes and paths, nodes and calls, retries and failures, and cost."""
    from egrm_graph.tracing.store_reading import record_of
    from egrm_graph.viewing.run_text import show as print_run

    record = record_of(store, run)
    if as_json:
        typer.echo(json.dumps(record, indent=1))
    else:
        print_run(record, standard_output())
