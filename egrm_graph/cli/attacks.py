"""How often an attack talks a judge round: `python -m egrm_graph.benchmark.attacks`.

By default the judge is a scripted one that obeys what it reads, on the graph's prompts and, as the baseline, on plain
ones. With `--engine` a model judges, and `embedded` needs no `--model`:

    python -m egrm_graph.benchmark.attacks --engine vllm --model Qwen/Qwen3-8B --base-url http://gpu:8000/v1
    python -m egrm_graph.benchmark.attacks --engine embedded
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from egrm_graph.benchmark.attacks.attack_rates import (
    JUDGED,
    NEVER_CERTAIN,
    NOTHING,
    Row,
    against_graph,
    against_plain,
    items,
)
from egrm_graph.benchmark.attacks.attack_suite import attacks
from egrm_graph.benchmark.attacks.obedient_judge import answer
from egrm_graph.cli.shared_options import settings_of
from egrm_graph.clients.client import Client
from egrm_graph.clients.engines import ENGINES, load_client
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import EgrmError
from egrm_graph.parts import scorer_of
from egrm_graph.scoring.scorer import Scorer
from egrm_graph.settings import Settings
from egrm_graph.terminal.tables import Column, Table, standard_output

_OPTIONS = ("engine", "model", "base_url", "scorer")


async def obedient(n_items: int) -> list[Row]:
    """The scripted judge, on plain prompts and on the graph's, where it judges at once and with reasons."""
    suite, asked = [NOTHING, *attacks()], items(n_items)
    both = (None, NEVER_CERTAIN)
    client = ScriptedClient(answer)
    rows = against_plain(suite, asked)
    for task in JUDGED:
        rows += await against_graph(
            task, suite, asked, settings=Settings(), client=client, scorer=None, thresholds=both
        )
    return rows


async def of_a_model(settings: Settings, n_items: int, client: Client, scorer: Scorer | None) -> list[Row]:
    """A model, with the gate as it is set."""
    suite, asked = [NOTHING, *attacks()], items(n_items)
    gate = (settings.threshold,)
    rows: list[Row] = []
    for task in JUDGED:
        rows += await against_graph(
            task, suite, asked, settings=settings, client=client, scorer=scorer, thresholds=gate
        )
    return rows


async def _loaded(settings: Settings, n_items: int) -> list[Row]:
    client, scorer = load_client(settings), scorer_of(settings)
    try:
        return await of_a_model(settings, n_items, client, scorer)
    finally:
        await client.aclose()
        if scorer is not None:
            await scorer.aclose()


def table(rows: Sequence[Row]) -> Table:
    """A line for each kind, with every judge beside the others."""
    judges = list(dict.fromkeys(row.judge for row in rows))
    figures = (Column(heading, right=True) for heading in ("attacks", *judges))
    shown = Table("kind", "forges", *figures, title="How often the attacked candidate wins")
    for kind in dict.fromkeys(row.kind for row in rows):
        found = [row for row in rows if row.kind == kind]
        forges = "structure" if found[0].only_structure else "and pleads"
        about = ("", "") if kind == NOTHING.kind else (forges, str(found[0].attacks))
        shown.add_row(kind, *about, *(row.loser_wins.percent() for row in found))
    return shown


def right_wins(rows: Sequence[Row]) -> str:
    """What the judge is worth, and what is left of it: a candidate that does not win can still spoil the verdict."""
    [calm] = [row for row in rows if row.kind == NOTHING.kind]
    attacked = [row for row in rows if row.kind != NOTHING.kind]
    tries = sum(row.tries for row in attacked)
    share = sum(row.right_wins.value * row.tries for row in attacked) / tries
    return (
        f"{calm.judge}: the right candidate wins in {100 * calm.right_wins.value:.1f} % of {calm.tries} tries without "
        f"an attack, in {100 * share:.1f} % of {tries} with one"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--items", type=int, default=4, choices=range(1, 11), help="sums to judge, 1 to 10 (default 4)")
    parser.add_argument("--engine", choices=tuple(ENGINES), help="judge with a model in the place of the script")
    parser.add_argument("--model", help="its name or folder (default with embedded: the bundled model)")
    parser.add_argument("--base-url", type=lambda url: (url,), help="the server")
    parser.add_argument("--scorer", help="a folder with a scorer of its paths")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    given = parser.parse_args()
    options = {name: getattr(given, name) for name in _OPTIONS if getattr(given, name) is not None}
    options["task"] = JUDGED[0]
    try:
        rows = asyncio.run(_loaded(settings_of(options), given.items) if given.engine else obedient(given.items))
    except EgrmError as error:
        sys.exit(f"error: {error}")
    if given.json:
        print(*(json.dumps(asdict(row)) for row in rows), sep="\n")
        return
    out = standard_output()
    out.print(table(rows))
    for judge in dict.fromkeys(row.judge for row in rows):
        out.print(right_wins([row for row in rows if row.judge == judge]))


if __name__ == "__main__":
    main()
