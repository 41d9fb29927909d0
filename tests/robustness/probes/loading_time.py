"""Check that a command reports how long its models took to load, separately from the time of its questions."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from typer.testing import CliRunner

from egrm_graph.cli import app
from tests.cli.test_verify import served, server_that
from tests.clients.fake_server import say

SAID = re.compile(r"Loading the models took ([\d.]+) s\.")
Seconds = Callable[[Path, str], float]


async def outcome(given: dict[str, Any]) -> Any:
    """Return the line on standard error, and whether loading and the reported times fit into the elapsed time."""
    if given.get("served"):
        async with server_that(say("56", "56", "56", "56")) as server:
            return await asyncio.to_thread(_run, [*given["command"], *served(server)], None)
    return await asyncio.to_thread(_run, given["command"], SECONDS[given["command"][0]])


def _run(command: list[Any], seconds: Seconds | None) -> Any:
    with TemporaryDirectory() as folder:
        questions = Path(folder) / "questions.jsonl"
        questions.write_text('{"id": 1, "question": "17+48-9", "reference": "56"}\n')
        arguments = [str(each).replace("FOLDER", folder) for each in command]
        started = time.perf_counter()
        done = CliRunner().invoke(app, arguments, env={"EGRM_TRACE_LEVEL": "off"})
        passed = time.perf_counter() - started
        assert done.exit_code == 0, done.output
        loading = SAID.search(done.stderr)
        said = None if loading is None else SAID.sub("Loading the models took N s.", loading[0])
        if loading is None or seconds is None:
            return {"said": said}
        return {"said": said, "separate": float(loading[1]) + seconds(Path(folder), done.stdout) < passed + 0.05}


def _of_verification(_folder: Path, out: str) -> float:
    return float(sum(json.loads(out)["timing_ms"].values())) / 1000


def _of_demo(folder: Path, _out: str) -> float:
    return float(sum(row["seconds"] for row in json.loads((folder / "figures.json").read_text())["overall"]))


def _of_bench(folder: Path, _out: str) -> float:
    return float(sum(row["p50_s"] for row in json.loads((folder / "bench" / "figures.json").read_text())))


SECONDS: dict[str, Seconds] = {
    "ask": _of_verification,
    "verify": _of_verification,
    "demo": _of_demo,
    "bench": _of_bench,
}
