"""The report, by hand-worked numbers."""

import io
from dataclasses import asdict
from typing import Any, cast

from rich.console import Console

from egrm_graph.cli.synthesis_table import print_report
from egrm_graph.clients.client import no_usage
from egrm_graph.synthesis.pair_synthesis import SynthesizedPair
from egrm_graph.synthesis.synthesis_report import synthesis_report
from egrm_graph.synthesis.synthesis_row import Loss, StageJudgment
from egrm_graph.synthesis.training_rows import TrainingRow
from egrm_graph.verification import Usage


def used(requests: int, completion_tokens: int) -> Usage:
    return {**no_usage(), "requests": requests, "prompt_tokens": 100, "completion_tokens": completion_tokens}


def pair(*judged: StageJudgment, losses: Any = (), label: str | None = None, **fields: Any) -> SynthesizedPair:
    row = None
    if label is not None:
        row = TrainingRow(prompt=[], completion=[], label=label, style=fields["structure"], domain=fields["domain"])
    made: Any = {
        "reference": "A",
        "outcomes": {"A": "A", "B": "B", "C": "tie"},
        "rationales": [],
        "units": [],
        "groups": [],
        "merged": [],
        "solution": None,
        "judged": [asdict(each) for each in judged],
        "losses": [asdict(loss) for loss in losses],
        "failed_calls": 1,
        "usage": {"rationales": used(2, 30), "units": used(1, 20)},
        "row": row,
        **fields,
    }
    return cast("SynthesizedPair", made)


PAIRS = [
    pair(
        StageJudgment("raw", "A", 100, 25),
        StageJudgment("raw", "B", 60, 15),
        StageJudgment("merged", "A", 80, None, principles=4, structure="breadth", consistent=True),
        StageJudgment("row", "A", 120, None, principles=4, structure="breadth", consistent=True),
        structure="breadth",
        domain="preference",
        label="A",
        losses=[Loss("units", "a unit cannot be read", "unit 1"), Loss("units", "a unit cannot be read", "unit 2")],
    ),
    pair(
        StageJudgment("raw", None, 40, 10),
        StageJudgment("merged", "tie", 40, None, principles=1, structure="plain", consistent=False),
        structure="depth",
        domain="correctness",
        losses=[Loss("solution", "the task was not solved", "[red]gone\x1b[0m")],
    ),
    pair(
        StageJudgment("raw", "B", 200, 50),
        StageJudgment("merged", None, 60, None, principles=1, structure="plain"),
        StageJudgment("depth", "B", 400, 100, principles=2, structure="depth", consistent=True),
        StageJudgment("row", "B", 480, None, principles=2, structure="depth", consistent=True),
        structure="depth",
        domain="correctness",
        label="B",
        usage={"rationales": used(2, 40), "depth": used(1, 100)},
    ),
]


def test_each_stage_is_measured_under_both_parsers() -> None:
    report = synthesis_report(PAIRS)
    raw, merged = report["stages"]["raw"], report["stages"]["merged"]
    assert raw["judgments"] == 4
    assert raw["figures"] == {
        "accuracy": 1 / 4,
        "rewardbench_accuracy": 3 / 8,
        "unreadable": 1 / 4,
        "preference/accuracy": 1 / 2,
        "preference/rewardbench_accuracy": 1 / 2,
        "preference/unreadable": 0,
        "correctness/accuracy": 0,
        "correctness/rewardbench_accuracy": 1 / 4,
        "correctness/unreadable": 1 / 2,
    }
    assert (raw["tokens"], raw["tokens_estimated"], raw["characters"], raw["principles"]) == (25, False, 100, None)
    figures = merged["figures"]
    assert (figures["accuracy"], figures["rewardbench_accuracy"], figures["unreadable"]) == (1 / 3, 2 / 3, 1 / 3)
    assert (figures["fit"], figures["breadth"], figures["plain"]) == (1 / 3, 1 / 3, 2 / 3)
    assert (merged["principles"], merged["inconsistent"]) == (2, 1 / 2)
    # 200 tokens for 800 characters were drawn, and a merged judgment has 60 characters.
    assert (merged["tokens"], merged["tokens_estimated"]) == (15, True)
    assert report["stages"]["row"]["tokens"] == 75
    assert report["stages"]["depth"]["tokens"] == 100
    assert "units" not in report["stages"]


def test_rows_losses_and_calls_are_counted() -> None:
    report = synthesis_report(PAIRS)
    assert (report["pairs"], report["rows"], report["breadth"], report["depth"]) == (3, 2, 1, 1)
    assert (report["right_first"], report["failed_calls"]) == (1 / 2, 3)
    assert report["losses"] == [
        {"stage": "units", "cause": "a unit cannot be read", "count": 2, "example": "unit 1"},
        {"stage": "solution", "cause": "the task was not solved", "count": 1, "example": "[red]gone\x1b[0m"},
    ]
    assert {stage: (each["requests"], each["completion_tokens"]) for stage, each in report["calls"].items()} == {
        "rationales": (6, 100),
        "units": (2, 40),
        "depth": (1, 100),
        "all": (9, 240),
    }


def test_without_token_counts_no_length_is_estimated() -> None:
    [merged] = synthesis_report([pair(StageJudgment("merged", "A", 80, None), structure=None, domain=None)])[
        "stages"
    ].values()
    assert (merged["tokens"], merged["tokens_estimated"], merged["characters"]) == (None, False, 80)


def test_the_table_has_every_stage_and_no_control_character() -> None:
    out = Console(width=200, file=io.StringIO(), record=True)
    print_report(synthesis_report(PAIRS), out)
    text = out.export_text()
    assert "2 rows from 3 pairs: 1 in breadth, 1 in depth" in text
    [merged] = [line.split() for line in text.splitlines() if line.startswith("merged units")]
    assert merged == ["merged", "units", "3", "33.3%", "66.7%", "33.3%", "2.0", "~15"]
    assert "the task was not solved" in text
    assert "[red]gone" in text
    assert "\x1b" not in text
