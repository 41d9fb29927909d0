"""How the bundled model judges held-out pairs and lists: `python examples/studies/judge_table.py`.

Fast verdicts only, always reasoning, and E-GRM, on the same items with the same seeds. With `--vllm-python` a real vLLM
server is started for it, which serves the bundled weights.
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
from egrm_graph.cli.demo import compared
from egrm_graph.errors import EgrmError
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.serving.vllm_server import start
from egrm_graph.settings import BUNDLED_JUDGE, Settings, TaskName
from egrm_graph.terminal.tables import standard_output

TASKS: tuple[TaskName, ...] = ("pairwise", "best_of_n")
START_S = 300.0


@contextlib.contextmanager
def served(python: str | None, err: Console) -> Iterator[dict[str, Any]]:
    """The settings that point at a server of its own, or at the bundled model in this process."""
    if python is None:
        yield {}
        return
    with start(str(bundled(BUNDLED_JUDGE)), name=BUNDLED_JUDGE, port=0, python=python) as server:
        with err.status("vLLM is loading"):
            server.wait(START_S)
        yield {"engine": "vllm", "base_url": (server.base_url,), "model": BUNDLED_JUDGE}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--items", type=int, default=1000, help="held-out pairs, and as many lists (default 1000)")
    parser.add_argument("--vllm-python", help="the Python interpreter that has vLLM: serve the model with it")
    parser.add_argument("--threshold", type=float, help="of the gate (default: the measure's own)")
    parser.add_argument("--levels", action="store_true", help="a table for each level of difficulty, too")
    parser.add_argument("--concurrency", type=int, default=64, help="items under way at once (default 64)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file as well")
    given = parser.parse_args()
    out, err = standard_output(), Console(stderr=True)
    figures = {}
    try:
        with served(given.vllm_python, err) as engine:
            for task in TASKS:
                items = held_out(given.items, task)
                settings = Settings(task=task, threshold=given.threshold, **engine)
                found = asyncio.run(compared(settings, None, items, given.concurrency, err))
                out.print(f"Task {task}:")
                print_tables(found.trials, items, out, levels=given.levels, scorer=found.scorer)
                figures[task] = report(found.trials, items)
    except EgrmError as error:
        sys.exit(f"error: {error}")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
