"""The report of `egrm synthesize`, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from egrm_graph.terminal.tables import Column, Table
from egrm_graph.terminal.terminal_text import one_line, shortened

if TYPE_CHECKING:
    from egrm_graph.synthesis.synthesis_report import StageFigures, SynthesisReport

LONGEST_EXAMPLE = 60


def print_report(report: SynthesisReport, out: Console) -> None:
    """Print the judgments of each stage, the calls of each stage, and what was lost."""
    from egrm_graph.synthesis.synthesis_report import STAGES

    headings = ("number", "right", "RewardBench", "unreadable", "principles", "tokens")
    stages = Table("judgments", *(Column(heading, right=True) for heading in headings), title=_title(report))
    for stage, figures in report["stages"].items():
        stages.add_row(STAGES[stage], *_cells(figures))
    out.print(stages)
    calls = Table("calls", *(Column(name, right=True) for name in ("requests", "prompt tokens", "completion tokens")))
    for stage, usage in report["calls"].items():
        numbers = (usage["requests"], usage["prompt_tokens"], usage["completion_tokens"])
        calls.add_row(stage, *(f"{number:,}" for number in numbers))
    out.print(calls)
    if report["losses"]:
        losses = Table("lost", Column("times", right=True), "because", Column("such as", below=True))
        for loss in report["losses"]:
            example = shortened(one_line(loss["example"]), LONGEST_EXAMPLE)
            losses.add_row(loss["stage"], f"{loss['count']:,}", loss["cause"], example)
        out.print(losses)
    out.print(Text("~: estimated from characters. RewardBench: an unreadable verdict or a tie is half right.", "dim"))


def _title(report: SynthesisReport) -> str:
    structures = ", ".join(
        f"{n:,} in {name}" for name, n in (("breadth", report["breadth"]), ("depth", report["depth"]))
    )
    return f"{report['rows']:,} rows from {report['pairs']:,} pairs: {structures}"


def _cells(stage: StageFigures) -> list[str]:
    figures, principles, tokens = stage["figures"], stage["principles"], stage["tokens"]
    return [
        f"{stage['judgments']:,}",
        f"{figures['accuracy']:.1%}",
        f"{figures['rewardbench_accuracy']:.1%}",
        f"{figures['unreadable']:.1%}",
        "" if principles is None else f"{principles:.1f}",
        "" if tokens is None else f"{'~' if stage['tokens_estimated'] else ''}{tokens:,.0f}",
    ]
