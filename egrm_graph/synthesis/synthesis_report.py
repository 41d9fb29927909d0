"""The report of a synthesis: what each stage is worth, what was lost, and what it cost.

Accuracy is given under two parsers; see `judgment_figures`. Lengths in tokens are the model's own counts. Where code
made a text, they are estimated from its characters, at the rate of everything that the model wrote in this run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from egrm_graph.clients.client import add_usage
from egrm_graph.deciding.outcomes import TIE
from egrm_graph.fine_tuning.judgment_figures import LabeledJudgment, judgment_figures
from egrm_graph.synthesis.pair_synthesis import SynthesizedPair

STAGES: Mapping[str, str] = {
    "raw": "rationales",
    "units": "units of a rationale",
    "merged": "merged units",
    "depth": "judged in depth",
    "row": "training rows",
}
"""What is measured at each stage."""


class StageFigures(TypedDict):
    """The judgments of one stage."""

    judgments: int
    figures: dict[str, float]
    """As in `judgment_figures`, of all domains and of each."""
    principles: float | None
    """Different principles in a judgment, on average; None before it has any."""
    inconsistent: float | None
    """The share of judgments whose verdict is not the majority of their sub-verdicts, among those that have both."""
    characters: float
    tokens: float | None
    tokens_estimated: bool


class LossCount(TypedDict):
    """How often something was lost for the same cause."""

    stage: str
    cause: str
    count: int
    example: str


class SynthesisReport(TypedDict):
    """The report, as plain values."""

    pairs: int
    rows: int
    breadth: int
    """Rows with this structure."""
    depth: int
    right_first: float | None
    """The share of rows whose right candidate is the first, among those without a tie."""
    stages: dict[str, StageFigures]
    losses: list[LossCount]
    """The most frequent first."""
    calls: dict[str, Any]
    """What each stage that asks the model used, and all together."""
    failed_calls: int


def synthesis_report(pairs: Sequence[SynthesizedPair]) -> SynthesisReport:
    """The report of these pairs."""
    rows = [pair["row"] for pair in pairs if pair["row"] is not None]
    rate = _tokens_per_character(pairs)
    stages = {stage: figures for stage in STAGES if (figures := _figures(pairs, stage, rate)) is not None}
    return SynthesisReport(
        pairs=len(pairs),
        rows=len(rows),
        breadth=sum(row["style"] == "breadth" for row in rows),
        depth=sum(row["style"] == "depth" for row in rows),
        right_first=_mean(_right_first(pairs)),
        stages=stages,
        losses=_losses(pairs),
        calls=_calls(pairs),
        failed_calls=sum(pair["failed_calls"] for pair in pairs),
    )


def _right_first(pairs: Sequence[SynthesizedPair]) -> list[bool]:
    found = [(pair["outcomes"], pair["row"]["label"]) for pair in pairs if pair["row"] is not None]
    return [label == next(iter(outcomes)) for outcomes, label in found if outcomes[label] != TIE]


def _figures(pairs: Sequence[SynthesizedPair], stage: str, rate: float | None) -> StageFigures | None:
    found = [(pair, each) for pair in pairs for each in pair["judged"] if each["stage"] == stage]
    if not found:
        return None
    judged = [_judged(pair, each) for pair, each in found]
    figures = {name: value for name, value in judgment_figures(judged).items() if not name.endswith("tokens")}
    tokens = [each["tokens"] for _, each in found]
    characters = sum(each["characters"] for _, each in found) / len(found)
    drawn = all(count is not None for count in tokens)
    estimate = None if rate is None else characters * rate
    return StageFigures(
        judgments=len(found),
        figures=figures,
        principles=_mean([each["principles"] for _, each in found if each["principles"] is not None]),
        inconsistent=_mean([not each["consistent"] for _, each in found if each["consistent"] is not None]),
        characters=characters,
        tokens=_mean(tokens) if drawn else estimate,
        tokens_estimated=not drawn and estimate is not None,
    )


def _judged(pair: SynthesizedPair, each: Mapping[str, Any]) -> LabeledJudgment:
    domain: Any = pair["domain"]
    return LabeledJudgment(pair["reference"], each["verdict"], each["tokens"] or 0, each["structure"], domain)


def _tokens_per_character(pairs: Sequence[SynthesizedPair]) -> float | None:
    drawn = [each for pair in pairs for each in pair["judged"] if each["tokens"] is not None]
    characters = sum(each["characters"] for each in drawn)
    return sum(each["tokens"] for each in drawn) / characters if characters else None


def _losses(pairs: Sequence[SynthesizedPair]) -> list[LossCount]:
    counted: dict[tuple[str, str], LossCount] = {}
    for loss in (loss for pair in pairs for loss in pair["losses"]):
        key = (loss["stage"], loss["cause"])
        made = LossCount(stage=loss["stage"], cause=loss["cause"], count=0, example=loss["detail"])
        counted.setdefault(key, made)["count"] += 1
    return sorted(counted.values(), key=lambda each: -each["count"])


def _calls(pairs: Sequence[SynthesizedPair]) -> dict[str, Any]:
    stages = dict.fromkeys(stage for pair in pairs for stage in pair["usage"])
    used = {stage: add_usage(*(pair["usage"][stage] for pair in pairs if stage in pair["usage"])) for stage in stages}
    return {**used, "all": add_usage(*used.values())}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
