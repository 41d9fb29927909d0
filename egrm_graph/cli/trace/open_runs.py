"""`egrm trace open`: view runs in a browser."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Annotated

import typer

from egrm_graph.cli.trace.trace_options import DEFAULT_STORE, StoreOption, with_filter
from egrm_graph.errors import InputError
from egrm_graph.tracing.filter import ALL, Filter

if TYPE_CHECKING:
    from egrm_graph.records.record import Record

MAX_PAGE_BYTES = 200_000_000
"""The most bytes of records in one page, because a browser has to load them."""


@with_filter
def open_runs(
    which: Filter,
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run's id, the start of one, or `latest`."),
    ] = None,
    *,
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[int, typer.Option(min=1, help="Without RUN: show at most this many runs, the newest.")] = 200,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page to this file instead of a temporary one.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """View one or more runs in a browser.

    The page is a single file that loads nothing, and only its owner can read it. Without RUN, it contains all runs that
    match the options. Prints its path.
    """
    if run is None:
        path = _page_of_many(store, which, limit, output)
    elif which == ALL:
        path = _page_of_one(store, run, output)
    else:
        raise InputError(f"{run!r} names one run, and the filter options select many; use one or the other")
    typer.echo(path)
    if browser:
        _show(path)


def _page_of_one(store: Path, run: str, output: Path | None) -> Path:
    from egrm_graph.tracing.store_reading import record_of

    return _written([record_of(store, run)], output)


def _page_of_many(store: Path, which: Filter, limit: int, output: Path | None) -> Path:
    from egrm_graph.tracing.store_reading import records, runs

    total, n, n_bytes = 0, 0, 0
    for row in runs(store, which):
        total += 1
        n_bytes += row.bytes
        if n < limit and (n_bytes <= MAX_PAGE_BYTES or n == 0):
            n += 1
    if total == 0:
        raise InputError(f"no runs in {store} match; `egrm trace list` shows the runs")
    if n < total:
        hint = (
            "raise --limit to see more" if n == limit else f"a page holds at most {MAX_PAGE_BYTES:,} bytes of records"
        )
        typer.echo(f"The page has the newest {n:,} of {total:,} runs; {hint}.", err=True)
    return _written(islice(records(store, which), n), output, total)


def _written(records: Iterable[Record], output: Path | None, total: int | None = None) -> Path:
    from egrm_graph.tracing.private import make_file
    from egrm_graph.viewing.run_page import write_page

    path = output or _temporary()
    make_file(path)
    with path.open("w", encoding="utf-8", newline="\n") as out:
        write_page(records, out, of=total)
    return path


def _temporary() -> Path:
    handle, name = mkstemp(prefix="egrm-trace-", suffix=".html")
    os.close(handle)
    return Path(name)


def _show(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        typer.echo("Could not start a browser; open the file in one.", err=True)
