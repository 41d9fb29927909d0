"""Measure what stopping early saves, and what waves cost: `python examples/studies/early_stopping.py`.

All M fast answers to the held-out questions are drawn once. A sample is the same in every wave, so the study can count
what each stopping rule and number of waves would have drawn of them. `decided`, applied after every single answer,
draws the fewest of all rules with the same decisions: it stops at the first vote after which all continuations give the
same result. The time, the canceled tokens, and the gain of speculation are measured by drawing again, one question at a
time. With `--base-url`, a vLLM server with egrm-tiny answers instead of the bundled model in this process.
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
    made = Table(*columns, title=f"M = {samples}, {questions} questions")
    for row in rows:
        made.add_row(
            row.rule,
            "one by one" if set(row.sizes) == {1} else " + ".join(map(str, row.sizes)),
            f"{row.samples.value:.2f}",
            row.over_fewest.percent(),
            f"{row.round_trips:.2f}",
            f"{row.completion_tokens:.1f}",
            str(row.changed),
        )
    return made


def timed_table(samples: int, rows: list[Timed]) -> Table:
    columns = ("", "questions", "p50 ms", "p95 ms", "requests", "tokens", "of them canceled", "reasoned")
    made = Table(*columns, title=f"M = {samples}, one question at a time")
    for row in rows:
        made.add_row(
            row.variant,
            str(row.questions),
            f"{row.p50_ms:.0f}",
            f"{row.p95_ms:.0f}",
            f"{row.requests:.2f}",
            f"{row.completion_tokens:.1f}",
            f"{row.cancelled_tokens:.1f}",
            str(row.reasoned),
        )
    return made


async def measure(options: argparse.Namespace, out: Console, err: Console) -> dict[str, Any]:
    served = {"engine": "vllm", "model": BUNDLED_MODEL, "base_url": (options.base_url,)}
    engine: dict[str, Any] = served if options.base_url else {}
    parts = assemble(Settings(**engine, threshold=options.threshold), scorer=None)
    figures: dict[str, Any] = {}
    try:
        await parts.check()
        for samples in options.samples:
            with err.status(f"M = {samples}: all samples of all questions"):
                drawn: list[Drawn] = await draw_all(parts, held_out(options.questions), samples)
            rows = counted(parts, drawn, samples)
            out.print(counted_table(samples, rows, len(drawn)))
            with err.status(f"M = {samples}: one question at a time"):
                measured = await timed(parts, drawn, samples, options.timed)
            out.print(timed_table(samples, measured))
            figures[str(samples)] = {"counted": [asdict(row) for row in rows], "timed": [asdict(t) for t in measured]}
    finally:
        await parts.aclose()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--questions", type=int, default=1000, help="held-out questions (default 1000)")
    parser.add_argument("--timed", type=int, default=100, help="number of them to draw one at a time (default 100)")
    parser.add_argument("--samples", type=int, nargs="+", default=[5, 16], help="values of M (default 5 16)")
    parser.add_argument("--threshold", type=float, default=0.8, help="threshold of the gate (default 0.8)")
    parser.add_argument("--base-url", help="a vLLM server with egrm-tiny, such as http://localhost:8000/v1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    try:
        figures = asyncio.run(measure(options, standard_output(), Console(stderr=True)))
    except EgrmError as error:
        sys.exit(f"error: {error}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
