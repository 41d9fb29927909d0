"""What stopping early saves, and what waves cost: `python examples/studies/early_stopping.py`.

All M fast answers of the bundled world's held-out questions are drawn once; what each stopping rule and each number of
waves would have drawn of them is then counted, for a sample is the same in whatever wave it is drawn. The fewest that
any rule with the same decisions could draw are those of `decided` asked after every single one: it stops at the first
vote after which all continuations lead to the same. How long drawing takes, what is cancelled, and what speculation
brings is measured by drawing again, one question after the other. With `--base-url` a vLLM server that serves egrm-tiny
answers, in the place of the bundled model in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from waves_counted import Counted, Drawn, counted, draw_all
from waves_timed import Timed, timed

from egrm_graph.benchmark.held_out import held_out
from egrm_graph.errors import EgrmError
from egrm_graph.parts import assemble
from egrm_graph.settings import BUNDLED_MODEL, Settings
from egrm_graph.terminal.tables import Table, standard_output


def counted_table(samples: int, rows: list[Counted], questions: int) -> Table:
    columns = ("", "waves", "samples", "over the fewest", "round trips", "tokens", "decisions changed")
    shown = Table(*columns, title=f"M = {samples}, {questions} questions")
    for each in rows:
        shown.add_row(
            each.rule,
            "one by one" if set(each.sizes) == {1} else " + ".join(map(str, each.sizes)),
            f"{each.samples.value:.2f}",
            each.over_fewest.percent(),
            f"{each.round_trips:.2f}",
            f"{each.completion_tokens:.1f}",
            str(each.changed),
        )
    return shown


def timed_table(samples: int, rows: list[Timed]) -> Table:
    columns = ("", "questions", "p50 ms", "p95 ms", "requests", "tokens", "of them cancelled", "reasoned")
    shown = Table(*columns, title=f"M = {samples}, one question after the other")
    for each in rows:
        shown.add_row(
            each.way,
            str(each.questions),
            f"{each.p50_ms:.0f}",
            f"{each.p95_ms:.0f}",
            f"{each.requests:.2f}",
            f"{each.completion_tokens:.1f}",
            f"{each.cancelled_tokens:.1f}",
            str(each.reasoned),
        )
    return shown


async def measure(given: argparse.Namespace, out: Console, err: Console) -> dict[str, Any]:
    served = {"engine": "vllm", "model": BUNDLED_MODEL, "base_url": (given.base_url,)}
    engine: dict[str, Any] = served if given.base_url else {}
    parts = assemble(Settings(**engine, threshold=given.threshold), scorer=None)
    figures: dict[str, Any] = {}
    try:
        await parts.check()
        for samples in given.samples:
            with err.status(f"M = {samples}: all samples of all questions"):
                drawn: list[Drawn] = await draw_all(parts, held_out(given.questions), samples)
            rows = counted(parts, drawn, samples)
            out.print(counted_table(samples, rows, len(drawn)))
            with err.status(f"M = {samples}: one question after the other"):
                measured = await timed(parts, drawn, samples, given.timed)
            out.print(timed_table(samples, measured))
            figures[str(samples)] = {"counted": [asdict(row) for row in rows], "timed": [asdict(t) for t in measured]}
    finally:
        await parts.aclose()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--questions", type=int, default=1000, help="held-out questions (default 1000)")
    parser.add_argument("--timed", type=int, default=100, help="of them drawn one after the other (default 100)")
    parser.add_argument("--samples", type=int, nargs="+", default=[5, 16], help="M, each by itself (default 5 16)")
    parser.add_argument("--threshold", type=float, help="of the gate (default 0.8)")
    parser.add_argument("--base-url", help="a vLLM server that serves egrm-tiny, such as http://localhost:8000/v1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file as well")
    given = parser.parse_args()
    try:
        figures = asyncio.run(measure(given, standard_output(), Console(stderr=True)))
    except EgrmError as error:
        sys.exit(f"error: {error}")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
