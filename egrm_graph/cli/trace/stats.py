"""`egrm trace stats`: statistics of runs over time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from egrm_graph.cli.trace.trace_options import DEFAULT_STORE, StoreOption, with_filter
from egrm_graph.runtime.extras import require_extra
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.tracing.filter import Filter

if TYPE_CHECKING:
    from egrm_graph.viewing.run_statistics import Period


@with_filter
def stats(
    which: Filter,
    store: StoreOption = DEFAULT_STORE,
    by: Annotated[Literal["hour", "day", "all"], typer.Option(help="The period of each line.")] = "day",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Show how many runs reasoned, what they cost, how long they took, and, with references, how many were right."""
    require_extra("stats", "`egrm trace stats`", "numpy")
    from egrm_graph.tracing.store_reading import runs
    from egrm_graph.viewing.run_statistics import periods

    found = periods(runs(store, which), by)
    if as_json:
        typer.echo(json.dumps([asdict(period) for period in found], indent=1, allow_nan=False))
    else:
        out = standard_output()
        out.print(_table(found))
        out.print(Text("Tokens are completion tokens per run. Brackets are 95 % intervals.", "dim"))


def _table(found: Sequence[Period]) -> Table:
    headings = ("runs", "not ok", "reasoned", "tokens, direct", "reasoned", "p50 ms", "p95 ms", "accuracy", "of")
    table = Table("started", *(Column(heading, right=True) for heading in headings))
    for period in found:
        table.add_row(*_cells(period))
    return table


def _cells(period: Period) -> list[str]:
    direct, reasoned = (period.tokens.get(route) for route in ("direct", "reasoned"))
    return [
        period.name,
        f"{period.runs:,}",
        f"{period.runs - period.endings.get('ok', 0):,}",
        "" if period.reasoned is None else period.reasoned.percent(),
        "" if direct is None else f"{direct:,.1f}",
        "" if reasoned is None else f"{reasoned:,.1f}",
        f"{period.p50_ms:,.0f}",
        f"{period.p95_ms:,.0f}",
        "" if period.accuracy is None else period.accuracy.percent(),
        f"{period.with_reference:,}" if period.with_reference else "",
    ]
