"""`egrm ask`: one question, and a result that a person reads."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from egrm_graph.cli.interruption import interruptible
from egrm_graph.cli.model_loading import loaded, recorded
from egrm_graph.cli.shared_options import with_settings
from egrm_graph.settings import Settings, TaskName
from egrm_graph.terminal.tables import standard_output
from egrm_graph.terminal.verification_text import show

if TYPE_CHECKING:
    from egrm_graph.state import Input
    from egrm_graph.tracing.store import Store
    from egrm_graph.verification import Verification


@with_settings
@interruptible
def ask(
    question: Annotated[str, typer.Argument(help="What to ask. Put -- before one that begins with a dash.")],
    *,
    settings: Settings,
    reference: Annotated[str | None, typer.Option(help="The right answer, to be compared with.")] = None,
    candidate: Annotated[
        list[str] | None, typer.Option(help="An answer to judge; give it once for each. Sets the task by their number.")
    ] = None,
    rubric: Annotated[str | None, typer.Option(help="What a single candidate is graded by.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verification as JSON.")] = False,
) -> None:
    """Ask one question, or judge candidate answers to it, and see how the verdict came about.

    Exit status: 0 with an answer, 1 without one, 2 when it could not be asked.
    """
    err = Console(stderr=True)
    optional = {"reference": reference, "rubric": rubric, "candidates": candidate or None}
    given: dict[str, Any] = {"question": question} | {name: it for name, it in optional.items() if it is not None}
    if candidate:
        settings = settings if settings.task != "auto" else settings.model_copy(update={"task": _task(len(candidate))})
    with recorded(settings, err) as store:
        told = asyncio.run(_asked(settings, store, given, err))
        if as_json:
            typer.echo(json.dumps(told, indent=2, allow_nan=False))
        else:
            show(told, standard_output())
    raise typer.Exit(1 if told["status"] == "abstained" else 0)


def _task(n_candidates: int) -> TaskName:
    return "pointwise" if n_candidates == 1 else "pairwise" if n_candidates == 2 else "best_of_n"


async def _asked(settings: Settings, store: Store | None, given: dict[str, Any], err: Console) -> Verification:
    from egrm_graph.graph import build_graph

    parts = await loaded(settings, store, err)
    try:
        graph = build_graph(parts.settings, client=parts.client, scorer=parts.scorer, store=parts.store)
        asked: Input = given  # type: ignore[assignment]
        with err.status("Asking") if err.is_terminal else nullcontext():
            told: Verification = (await graph.ainvoke(asked))["verification"]
        return told
    finally:
        await parts.aclose()
