"""The table of what reinforced generators drew over the steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console
from rollouts_by_step import cell, logged, table


def report(folder: Path, *rows: dict[str, float]) -> Path:
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps({"curve": list(rows)}), "utf-8")
    return folder


def row(step: int, right: float, score: float) -> dict[str, float]:
    return {"step": step, "right": right, "score": score, "without_spread": 0.5, "entropy": 0.01, "kl": 0.00125}


def test_a_row_has_the_mean_and_the_range_of_the_seeds(tmp_path: Path) -> None:
    one = report(tmp_path / "one", row(10, 0.8, 0.7), row(20, 0.6, 0.9))
    two = report(tmp_path / "two", row(10, 0.6, 0.8), row(20, 0.8, 0.9), row(30, 1.0, 1.0))
    out = Console(width=200)
    with out.capture() as printed:
        out.print(table({"pair": [logged(one), logged(two)]}))
    lines = [line.split() for line in printed.get().splitlines() if line.startswith("pair")]
    assert [line[1] for line in lines] == ["10", "20"], "a step that one seed has not reached is left out"
    assert lines[0][2:8] == ["0.700", "[0.600,", "0.800]", "0.750", "[0.700,", "0.800]"]
    assert lines[1][2:8] == ["0.700", "[0.600,", "0.800]", "0.900", "[0.900,", "0.900]"]
    assert cell([0.001, 0.002], 4) == "0.0015 [0.0010, 0.0020]"


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_folder_without_a_report_is_named(tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "report.json").write_text(text, "utf-8")
    with pytest.raises(SystemExit, match=r"report\.json is not the report of a training"):
        logged(tmp_path)


def test_a_training_without_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no rollouts with a score"):
        logged(report(tmp_path / "sft", {"step": 1, "loss": 2.0}))
