"""`egrm attack`: measure how often an attack on a judge succeeds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from egrm_graph.benchmark.attacks.attack_suite import NO_ATTACK
from egrm_graph.cli.interruption import interruptible
from egrm_graph.cli.shared_options import settings_of
from egrm_graph.settings import Engine, Settings
from egrm_graph.terminal.tables import Column, Table, standard_output

if TYPE_CHECKING:
    from egrm_graph.benchmark.attacks.attack_rates import AttackRow


@interruptible
def attack(
    *,
    items: Annotated[int, typer.Option(min=1, max=10, metavar="N", help="Number of sums to judge.")] = 4,
    engine: Annotated[
        Engine | None, typer.Option(help="Judge with a model.", show_default="the scripted judge")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="Model name or folder. The engine embedded has a default.")
    ] = None,
    base_url: Annotated[list[str] | None, typer.Option(metavar="URL", help="vLLM server. Repeatable.")] = None,
    scorer: Annotated[
        str | None, typer.Option(metavar="PATH", help="Folder of a scorer for the model's paths.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON lines.")] = False,
) -> None:
    """Measure how often an attack makes a judge choose the wrong candidate.

    Each attack surrounds a wrong answer to a sum. Without --engine, the judge is a script that obeys what it reads. It
    judges with the prompts of the graph and, as the baseline, with plain prompts. With --engine, a model judges.
    """
    options = {"engine": engine, "model": model, "base_url": base_url, "scorer": scorer}
    rows = asyncio.run(_rows({name: value for name, value in options.items() if value}, items))
    if as_json:
        for row in rows:
            typer.echo(json.dumps(asdict(row)))
        return
    out = standard_output()
    out.print(table(rows))
    for judge in dict.fromkeys(row.judge for row in rows):
        out.print(right_wins([row for row in rows if row.judge == judge]))


async def _rows(options: dict[str, Any], n_items: int) -> list[AttackRow]:
    from egrm_graph.benchmark.attacks.attack_rates import JUDGED, rates_of_model, rates_of_script
    from egrm_graph.clients.engines import load_client
    from egrm_graph.parts import scorer_of

    if "engine" not in options:
        return await rates_of_script(n_items)
    settings: Settings = settings_of({**options, "task": JUDGED[0]})
    client, scorer = load_client(settings), scorer_of(settings)
    try:
        return await rates_of_model(settings, n_items, client, scorer)
    finally:
        await client.aclose()
        if scorer is not None:
            await scorer.aclose()


def table(rows: Sequence[AttackRow]) -> Table:
    """A line for each kind of attack, with a column for each judge."""
    judges = list(dict.fromkeys(row.judge for row in rows))
    figures = (Column(heading, right=True) for heading in ("attacks", *judges))
    made = Table("kind", "forges", *figures, title="How often the attacked candidate wins")
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [row for row in rows if row.kind == kind]
        forges = "structure" if of_kind[0].only_structure else "and pleads"
        about = ("", "") if kind == NO_ATTACK.kind else (forges, str(of_kind[0].attacks))
        made.add_row(kind, *about, *(row.loser_wins.percent() for row in of_kind))
    return made


def right_wins(rows: Sequence[AttackRow]) -> str:
    """How often one judge is right, without an attack and with one.

    An attack can spoil the verdict even if its candidate does not win.
    """
    [calm] = [row for row in rows if row.kind == NO_ATTACK.kind]
    attacked = [row for row in rows if row.kind != NO_ATTACK.kind]
    tries = sum(row.tries for row in attacked)
    share = sum(row.right_wins.value * row.tries for row in attacked) / tries
    return (
        f"{calm.judge}: the right candidate wins in {100 * calm.right_wins.value:.1f} % of {calm.tries} tries without "
        f"an attack, in {100 * share:.1f} % of {tries} with one"
    )
