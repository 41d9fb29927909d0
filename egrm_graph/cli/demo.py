"""`egrm demo`: the main job on held-out questions, against never and always reasoning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from egrm_graph.cli.interruption import interruptible
from egrm_graph.cli.options import Concurrency, with_settings
from egrm_graph.settings import Settings


@with_settings
@interruptible
def demo(
    settings: Settings,
    questions: Annotated[int, typer.Option(min=1, help="Held-out questions to ask.")] = 500,
    levels: Annotated[bool, typer.Option("--levels", help="A table for each level of difficulty, too.")] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to this file as well.")
    ] = None,
    concurrency: Concurrency = 32,
) -> None:
    """Compare never reasoning, always reasoning and E-GRM, and tell one question step by step."""
    from egrm_graph.benchmark.demo import run_demo

    run_demo(
        settings,
        questions=questions,
        concurrency=concurrency,
        out=Console(),
        err=Console(stderr=True),
        json_path=json_path,
        levels=levels,
    )
