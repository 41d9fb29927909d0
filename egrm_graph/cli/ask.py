"""`egrm ask`: ask one question, and print the result for people."""

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
    question: Annotated[str, typer.Argument(help="The question. Put -- before it if it starts with -.")],
    *,
    settings: Settings,
    reference: Annotated[str | None, typer.Option(help="Correct answer to compare with.")] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(help="Answer to judge. Repeatable. One: a grade; two: which is better; more: the best."),
    ] = None,
    rubric: Annotated[str | None, typer.Option(help="Rubric for grading a single candidate.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verification as JSON.")] = False,
) -> None:
    """Ask one question, or judge candidate answers to it, and show how the verdict was reached.

    Exit status: 0 with an answer, 1 without one, 2 when the question could not be asked.
    """
    err = Console(stderr=True)
    optional = {"reference": reference, "rubric": rubric, "candidates": candidate or None}
    inputs: dict[str, Any] = {"question": question}
    inputs |= {name: value for name, value in optional.items() if value is not None}
    if candidate:
        settings = settings if settings.task != "auto" else settings.model_copy(update={"task": _task(len(candidate))})
    with recorded(settings, err) as store:
        verification = asyncio.run(_ask(settings, store, inputs, err))
        if as_json:
            typer.echo(json.dumps(verification, indent=2, allow_nan=False))
        else:
            show(verification, standard_output())
    raise typer.Exit(1 if verification["status"] == "abstained" else 0)


def _task(n_candidates: int) -> TaskName:
    return "pointwise" if n_candidates == 1 else "pairwise" if n_candidates == 2 else "best_of_n"


async def _ask(settings: Settings, store: Store | None, inputs: dict[str, Any], err: Console) -> Verification:
    from egrm_graph.graph import build_graph

    parts = await loaded(settings, store, err)
    try:
        graph = build_graph(parts.settings, client=parts.client, scorer=parts.scorer, store=parts.store)
        graph_input: Input = inputs  # type: ignore[assignment]
        with err.status("Asking") if err.is_terminal else nullcontext():
            verification: Verification = (await graph.ainvoke(graph_input))["verification"]
        return verification
    finally:
        await parts.aclose()
