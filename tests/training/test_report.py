"""The report of a training, and its self-contained page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from egrm_graph.scoring.checkpoint import Manifest
from egrm_graph.scoring.score_calibration import Bin
from egrm_graph.training.best_of_n_curve import BestOf
from egrm_graph.training.report import TrainingReport, write_report
from egrm_graph.training.temperature import Reliability, TemperatureFit

BEFORE = Reliability(0.2, 0.21, 0.3, [Bin(4, 0.9, 0.75)])
AFTER = Reliability(0.1, 0.11, 0.25, [Bin(4, 0.8, 0.75)])
FIT = TemperatureFit(1.5, (1.4, 1.6), 2, 4, BEFORE, AFTER)
CURVE = [{"step": 1, "loss": 0.5}, {"step": 2, "eval_loss": 0.4, "eval_best_of_n": 0.5}]
BEST_OF_N = [BestOf(1, 2, 0.5, 0.5, 0.5), BestOf(2, 2, 0.75, None, 1.0)]


def manifest(**more: object) -> Manifest:
    values = {
        "egrm_graph": "0.1.0",
        "base": "<b>base</b>",
        "settings": {"best_of": 4, "alpha": 0.3},
        "data_sha256": {"rollouts": "abc"},
        "data": {"train_questions": 7, "train_paths": 28, "held_out_questions": 2, "held_out_paths": 4},
        "held_out": {"best_of_n": 0.5, "majority": None, "oracle": 1.0, "pairwise": 0.9},
        "best_step": 2,
    }
    return Manifest.model_validate({**values, **more})


class Page(HTMLParser):
    """The text of a page, and the URLs that it loads."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.text = ""
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text = " ".join([*self.text.split(), *data.split()])


async def test_the_report_has_settings_figures_curves_and_bins(tmp_path: Path) -> None:
    write_report(tmp_path, TrainingReport(manifest(calibration=FIT.calibration), CURVE, BEST_OF_N, FIT))
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["settings"] == {"best_of": 4, "alpha": 0.3}
    assert found["curve"] == CURVE
    assert found["best_of_n"][1] == {"n_paths": 2, "questions": 2, "scorer": 0.75, "majority": None, "oracle": 1.0}
    assert found["calibration"] == {
        "temperature": 1.5,
        "temperatures_of_halves": [1.4, 1.6],
        "questions": 2,
        "paths": 4,
        "before": {
            "ece": 0.2,
            "ece_equal_mass": 0.21,
            "brier": 0.3,
            "bins": [{"paths": 4, "score": 0.9, "right": 0.75}],
        },
        "after": {
            "ece": 0.1,
            "ece_equal_mass": 0.11,
            "brier": 0.25,
            "bins": [{"paths": 4, "score": 0.8, "right": 0.75}],
        },
    }


async def test_the_page_has_the_figures_and_loads_nothing(tmp_path: Path) -> None:
    write_report(tmp_path, TrainingReport(manifest(calibration=FIT.calibration), CURVE, BEST_OF_N, FIT))
    page = Page(tmp_path / "report.html")
    assert len(page.sources) == 4
    assert all(source.startswith("data:image/png;base64,iVBOR") for source in page.sources)
    assert "scorer's choice of 4 50.0 % majority none any path right 100.0 %" in page.text
    assert "2 2 none 75.0 % 100.0 %" in page.text
    assert "a temperature of 1.500" in page.text
    assert "15 bins of equal width 0.2000 0.1000" in page.text
    assert not re.search(r"https?://|<script|@import|url[(]", (tmp_path / "report.html").read_text())


async def test_names_are_escaped(tmp_path: Path) -> None:
    write_report(tmp_path, TrainingReport(manifest(), CURVE, BEST_OF_N, None))
    assert "Scorer from <b>base</b>" in Page(tmp_path / "report.html").text


@pytest.mark.parametrize(
    ("fitted", "message"),
    [(None, "Not calibrated. The scores"), ("no path is wrong", "Not calibrated : no path is wrong. The scores")],
)
async def test_the_page_says_if_the_scores_are_not_probabilities(
    tmp_path: Path, fitted: str | None, message: str
) -> None:
    write_report(tmp_path, TrainingReport(manifest(), CURVE, BEST_OF_N, fitted))
    page = Page(tmp_path / "report.html")
    assert message in page.text
    assert len(page.sources) == 3
