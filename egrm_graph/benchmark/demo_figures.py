"""The figures of the demo: each method, E-GRM against always reasoning, and what the scorer contributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from egrm_graph.benchmark.bench_figures import mean_of_all
from egrm_graph.benchmark.demo_methods import Outcome, Trial
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.intervals import Columns, Estimate, bootstrap, share


@dataclass(frozen=True)
class DemoRow:
    """The figures of one method on a set of questions."""

    method: str
    accuracy: Estimate
    tokens: float
    """Completion tokens per question, mean."""
    escalated: float
    """The share of questions that were reasoned about."""
    failed: int
    """Questions whose status was not `ok`."""
    seconds: float | None
    """For all questions. None for the questions of one level."""
    orders_disagree: float | None
    """The share of questions where the orders of the candidates have different winners. None without orders."""
    rewardbench: Estimate | None = None
    """The accuracy on pairs by RewardBench's parser; see `verdict_parsers`. None if not every question is a pair."""


@dataclass(frozen=True)
class Comparison:
    """The cost and accuracy of E-GRM against always reasoning, and the gain of the scorer's choice over a vote."""

    accuracy_points: Estimate
    """Accuracy of E-GRM minus that of always reasoning, in percentage points, paired."""
    tokens_ratio: Estimate
    """Completion tokens of E-GRM divided by those of always reasoning."""
    majority: Estimate
    """Accuracy of the majority vote over the paths of all questions."""
    chosen: Estimate
    """Accuracy of the scorer's choice among them."""
    best: Estimate
    """The share of questions with a right path, which is the best that any choice can achieve."""
    gap_closed: Estimate
    """The share of the gap between the majority vote and the best possible choice that the scorer closes."""


def rows(trials: Sequence[Trial], questions: Sequence[BenchQuestion], level: int | str | None = None) -> list[DemoRow]:
    """A row for each method, on all questions or on those of one level."""
    chosen = [i for i, question in enumerate(questions) if level in (None, question.level)]
    made = []
    for trial in trials:
        outcomes = [trial.outcomes[i] for i in chosen]
        made.append(
            DemoRow(
                method=trial.name,
                accuracy=share(np.array([outcome.right for outcome in outcomes])),
                tokens=float(np.mean([outcome.completion_tokens for outcome in outcomes])),
                escalated=float(np.mean([outcome.escalated for outcome in outcomes])),
                failed=sum(outcome.status != "ok" for outcome in outcomes),
                seconds=trial.seconds if level is None else None,
                orders_disagree=_orders_disagree(outcomes),
                rewardbench=mean_of_all([outcome.rewardbench for outcome in outcomes]),
            )
        )
    return made


def _orders_disagree(outcomes: Sequence[Outcome]) -> float | None:
    verifications = [outcome.verification for outcome in outcomes if outcome.verification is not None]
    known = [agree for one in verifications if (agree := one["uncertainty"]["orders_agree"]) is not None]
    return None if not known else float(np.mean([not agree for agree in known]))


def compare(gated: Trial, always: Trial) -> Comparison:
    """E-GRM against always reasoning, on the same questions."""
    right = np.array([[o.right for o in gated.outcomes], [o.right for o in always.outcomes]], dtype=float)
    tokens = np.array(
        [[o.completion_tokens for o in gated.outcomes], [o.completion_tokens for o in always.outcomes]], dtype=float
    )
    majority = np.array([o.majority_right is True for o in always.outcomes])
    chosen = np.array([o.right for o in always.outcomes])
    best = np.array([o.best_right is True for o in always.outcomes])
    return Comparison(
        accuracy_points=bootstrap(right, lambda columns: 100 * float(columns[0].mean() - columns[1].mean())),
        tokens_ratio=bootstrap(tokens, lambda columns: float(columns[0].sum() / columns[1].sum())),
        majority=share(majority),
        chosen=share(chosen),
        best=share(best),
        gap_closed=bootstrap(np.array([majority, chosen, best], dtype=float), _closed),
    )


def _closed(columns: Columns) -> float:
    majority, chosen, best = columns.mean(axis=1)
    return float((chosen - majority) / (best - majority)) if best > majority else float("nan")


def report(trials: Sequence[Trial], questions: Sequence[BenchQuestion]) -> dict[str, Any]:
    """All figures, as plain values for a JSON file."""
    by_name = {trial.name: trial for trial in trials}
    levels = sorted({question.level for question in questions})
    return {
        "questions": len(questions),
        "overall": [asdict(row) for row in rows(trials, questions)],
        "levels": {level: [asdict(row) for row in rows(trials, questions, level)] for level in levels},
        "comparison": asdict(compare(by_name["E-GRM"], by_name["always reason"])),
    }
