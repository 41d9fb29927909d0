"""The report of a training of a language model."""

from __future__ import annotations

import json
from pathlib import Path

from egrm_graph.fine_tuning.fine_tuning_plots import judge_plots, plot_by_step
from egrm_graph.fine_tuning.fine_tuning_report import write_fine_tuning_report

CURVE = [
    {"step": 0, "eval_accuracy": 0.5, "eval_preference/fit": 0.25},
    {"step": 4, "reward": 0.1, "right": 0.55, "kl": 0.01, "eval_accuracy": 0.75},
]
MANIFEST = {
    "base": "<base>",
    "egrm_graph": "0.1.0",
    "method": "reinforced",
    "settings": {"learning_rate": 1e-6},
    "data": {"train_pairs": 4},
    "data_sha256": {"data": "ab12"},
    "held_out": {"before": {"accuracy": 0.5}, "after": {"accuracy": 0.75, "tokens": 31.5}},
}


async def test_the_page_has_figures_before_and_after_plots_and_origin(tmp_path: Path) -> None:
    write_fine_tuning_report(tmp_path, "Judge", MANIFEST, CURVE, {"Loss": b"png"})
    page = (tmp_path / "report.html").read_text()
    assert "<h1>Judge from &lt;base&gt;</h1>" in page
    assert "<tr><th>accuracy</th><td>50.0 %</td><td>75.0 %</td></tr>" in page
    assert "<tr><th>tokens</th><td>not measured</td><td>31.5</td></tr>" in page
    assert 'src="data:image/png;base64,cG5n" alt="Loss by step"' in page
    assert "ab12" in page
    assert "http" not in page
    assert json.loads((tmp_path / "report.json").read_text()) == {**MANIFEST, "curve": CURVE}


async def test_without_held_out_figures_the_page_says_so(tmp_path: Path) -> None:
    write_fine_tuning_report(tmp_path, "Judge", {**MANIFEST, "held_out": {"before": {}, "after": {}}}, [], {})
    assert "Nothing was held out." in (tmp_path / "report.html").read_text()


async def test_only_what_was_measured_is_plotted() -> None:
    assert plot_by_step(CURVE, "loss", {"loss": "training"}) is None
    assert list(judge_plots(CURVE)) == [
        "Reward",
        "Rollouts",
        "Divergence from the base",
        "Accuracy on held-out pairs",
        "Structures on held-out pairs",
    ]
    assert all(png.startswith(b"\x89PNG") for png in judge_plots(CURVE).values())
