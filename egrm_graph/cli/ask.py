"""`egrm ask`: one question, and a result that a person reads."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from egrm_graph.cli.interruption import interruptible
from egrm_graph.cli.options import with_settings
from egrm_graph.cli.story import show
from egrm_graph.settings import Settings

if TYPE_CHECKING:
    from egrm_graph.verification import Verification


@with_settings
@interruptible
def ask(
    question: Annotated[str, typer.Argument(help="What to ask. Put -- before one that begins with a dash.")],
    settings: Settings,
    reference: Annotated[str | None, typer.Option(help="The right answer, to be compared with.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verification as JSON.")] = False,
) -> None:
    """Ask one question, and see how its answer came about.

    Exit status: 0 with an answer, 1 without one, 2 when it could not be asked.
    """
    err = Console(stderr=True)
    with err.status("Asking") if err.is_terminal else nullcontext():
        told = asyncio.run(_asked(settings, question, reference))
    if as_json:
        typer.echo(json.dumps(told, indent=2, allow_nan=False))
    else:
        show(told, Console(highlight=False))
    raise typer.Exit(1 if told["status"] == "abstained" else 0)


async def _asked(settings: Settings, question: str, reference: str | None) -> Verification:
    from egrm_graph.graph import build_graph
    from egrm_graph.parts import assemble
    from egrm_graph.state import Input

    parts = assemble(settings)
    try:
        await parts.check()
        given: Input = {"question": question}
        if reference is not None:
            given["reference"] = reference
        graph = build_graph(parts.settings, client=parts.client, scorer=parts.scorer)
        told: Verification = (await graph.ainvoke(given))["verification"]
        return told
    finally:
        await parts.aclose()
