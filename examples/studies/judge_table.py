"""Measure how the bundled model judges held-out pairs and lists: `python examples/studies/judge_table.py`.

It compares fast verdicts only, always reasoning, and E-GRM, on the same items with the same seeds. With
`--vllm-python`, it starts a real vLLM server with the bundled weights.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from egrm_graph.benchmark.demo_figures import report
from egrm_graph.benchmark.held_out import held_out
from egrm_graph.cli.comparison_table import print_tables
from egrm_graph.cli.demo import run_demo
from egrm_graph.errors import EgrmError
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.serving.vllm_server import start
from egrm_graph.settings import BUNDLED_JUDGE, Settings, TaskName
from egrm_graph.terminal.tables import standard_output

TASKS: tuple[TaskName, ...] = ("pairwise", "best_of_n")
START_S = 300.0


@contextlib.contextmanager
def served(python: str | None, err: Console) -> Iterator[dict[str, Any]]:
    """Start a server and yield the settings for it, or those for the bundled model in this process."""
    if python is None:
        yield {}
        return
    with start(str(bundled(BUNDLED_JUDGE)), name=BUNDLED_JUDGE, port=0, python=python) as server:
        with err.status("vLLM is loading"):
            server.wait(START_S)
        yield {"engine": "vllm", "base_url": (server.base_url,), "model": BUNDLED_JUDGE}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--items", type=int, default=1000, help="number of held-out pairs, and of lists (default 1000)")
    parser.add_argument("--vllm-python", help="serve the model with the vLLM of this Python interpreter")
    parser.add_argument("--threshold", type=float, help="threshold of the gate (default: that of the measure)")
    parser.add_argument("--levels", action="store_true", help="also print a table for each level of difficulty")
    parser.add_argument("--concurrency", type=int, default=64, help="items at once, at most (default 64)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    out, err = standard_output(), Console(stderr=True)
    figures = {}
    try:
        with served(options.vllm_python, err) as engine:
            for task in TASKS:
                items = held_out(options.items, task)
                settings = Settings(task=task, threshold=options.threshold, **engine)
                result = asyncio.run(run_demo(settings, None, items, options.concurrency, err))
                out.print(f"Task {task}:")
                print_tables(result.trials, items, out, levels=options.levels, scorer=result.scorer)
                figures[task] = report(result.trials, items)
    except EgrmError as error:
        sys.exit(f"error: {error}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
