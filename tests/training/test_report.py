"""What the report holds."""

from __future__ import annotations

import json
from pathlib import Path

from egrm_graph.training.report import write_report


async def test_report_holds_the_curve_and_draws_it(tmp_path: Path) -> None:
    curve = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.4, "eval_best_of_n": 0.5}]
    write_report(tmp_path, {"seed": 0}, curve)
    assert json.loads((tmp_path / "report.json").read_text()) == {"seed": 0, "curve": curve}
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
