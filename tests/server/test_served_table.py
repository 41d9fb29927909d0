"""The demo's table through a real vLLM server, against the one of the same weights in this process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import Served

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

QUESTIONS = 150


def demo(folder: Path, *options: str) -> dict[str, Any]:
    """The figures that `egrm demo` writes."""
    figures = folder / "figures.json"
    command = [sys.executable, "-m", "egrm_graph", "demo", "--questions", str(QUESTIONS), "--json", str(figures)]
    done = subprocess.run([*command, *options], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(figures.read_text())
    return told


def within(value: float, interval: dict[str, float]) -> bool:
    return interval["low"] <= value <= interval["high"]


def test_the_same_table_through_a_server(real_server: Served, tmp_path: Path) -> None:
    hold_together(real_server, tmp_path, most_failed=0)


def test_the_same_verdicts_on_pairs_through_a_server(real_judge: Served, tmp_path: Path) -> None:
    # Four paths may leave one of the two orders without a verdict that can be read.
    hold_together(real_judge, tmp_path, "--task", "pairwise", most_failed=5)


def hold_together(server: Served, tmp_path: Path, *task: str, most_failed: int) -> None:
    here = demo(tmp_path, *task)
    there = demo(tmp_path, *task, "--engine", "vllm", "--base-url", server.base_url, "--model", server.name)
    assert [row["strategy"] for row in there["overall"]] == ["never reason", "always reason", "E-GRM"]
    for one, other in zip(here["overall"], there["overall"], strict=True):
        assert other["failed"] <= most_failed
        assert within(other["accuracy"]["value"], one["accuracy"]), (one, other)
        assert within(one["accuracy"]["value"], other["accuracy"]), (one, other)
    # Two estimates, each with its own chance: they agree where their intervals meet.
    one, other = here["comparison"]["tokens_ratio"], there["comparison"]["tokens_ratio"]
    assert one["low"] <= other["high"], (one, other)
    assert other["low"] <= one["high"], (one, other)
