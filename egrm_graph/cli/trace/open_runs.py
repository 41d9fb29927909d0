"""`egrm trace open`: a run, or many, as a page in the browser."""

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

MOST_BYTES = 200_000_000
"""Of records in one page: a browser has to hold them."""


@with_filter
def open_runs(
    which: Filter,
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run's id, as many of its characters as it takes, or `latest`."),
    ] = None,
    *,
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[int, typer.Option(min=1, help="Without RUN: runs at most, the newest.")] = 200,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the page goes; else to the folder for temporary files.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Look at a run, or at many, in a page.

    The page is one file that loads nothing; only its owner can read it. Without RUN it holds all runs that the options
    choose. Its name is printed.
    """
    if run is None:
        path = _page_of_many(store, which, limit, output)
    elif which == ALL:
        path = _page_of_one(store, run, output)
    else:
        raise InputError(f"{run!r} is one run, and there are options that choose among many; leave out one of the two")
    typer.echo(path)
    if browser:
        _show(path)


def _page_of_one(store: Path, run: str, output: Path | None) -> Path:
    from egrm_graph.tracing.store_reading import record_of

    return _written([record_of(store, run)], output)


def _page_of_many(store: Path, which: Filter, limit: int, output: Path | None) -> Path:
    from egrm_graph.tracing.store_reading import records, runs

    of, n, n_bytes = 0, 0, 0
    for row in runs(store, which):
        of += 1
        n_bytes += row.bytes
        if n < limit and (n_bytes <= MOST_BYTES or n == 0):
            n += 1
    if of == 0:
        raise InputError(f"there are no such runs in {store}; `egrm trace list` shows those that are")
    if n < of:
        why = "--limit shows more" if n == limit else f"more would make the page larger than {MOST_BYTES:,} bytes"
        typer.echo(f"The page holds {n:,} of {of:,} runs, the newest; {why}.", err=True)
    return _written(islice(records(store, which), n), output, of)


def _written(records: Iterable[Record], output: Path | None, of: int | None = None) -> Path:
    from egrm_graph.tracing.private import make_file
    from egrm_graph.viewing.run_page import write_page

    path = output or _temporary()
    make_file(path)
    with path.open("w", encoding="utf-8", newline="\n") as out:
        write_page(records, out, of=of)
    return path


def _temporary() -> Path:
    handle, name = mkstemp(prefix="egrm-trace-", suffix=".html")
    os.close(handle)
    return Path(name)


def _show(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        typer.echo("No browser could be started; open the file in one.", err=True)
