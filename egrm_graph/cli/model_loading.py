"""Loading the models and recording the runs, for all commands that ask models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from egrm_graph.clients.engines import ENGINES
from egrm_graph.settings import Settings

if TYPE_CHECKING:
    from egrm_graph.parts import Parts
    from egrm_graph.tracing.store import Store


@contextmanager
def recorded(settings: Settings, err: Console) -> Iterator[Store | None]:
    """Open the store of the settings, and print a hint in the end if anything was recorded. None if recording is off.

    Raises:
        InputError: `trace_store` is not a store.
    """
    if settings.trace_level == "off":
        yield None
        return
    from egrm_graph.tracing.opening import open_store

    store = open_store(settings.trace_store, settings.trace_keep_days, settings.trace_keep_mb)
    try:
        yield store
    finally:
        store.close()
        if store.n_written:
            err.print(Text(f"Recorded in {settings.trace_store}: egrm trace list, show, open"), soft_wrap=True)


async def loaded(
    settings: Settings, store: Store | None, err: Console, *, wrapped: Callable[[Parts], Parts] = lambda parts: parts
) -> Parts:
    """Load the models, and check that they work, `wrapped` as the caller uses them. Prints how long a model in this
    process took to load, because the time of a question never includes that.

    Raises:
        EgrmError: a model or its server cannot be used.
    """
    started = time.perf_counter()
    with err.status("Loading the models") if err.is_terminal else nullcontext():
        from egrm_graph import graph  # noqa: F401 - this import takes a while too
        from egrm_graph.parts import assemble, scorer_folder

        parts = assemble(settings, store=store)
        try:
            parts = wrapped(parts)
            await parts.check()
        except BaseException:
            await parts.aclose()
            raise
    if ENGINES[settings.engine].in_process or (settings.scorer_url is None and scorer_folder(settings) is not None):
        err.print(Text(f"Loading the models took {time.perf_counter() - started:.1f} s."))
    return parts
