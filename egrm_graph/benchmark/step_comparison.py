"""Compare how well scorers judge the steps of paths, on data with labeled steps:

    python -m egrm_graph.benchmark.step_comparison gsm8k.jsonl math.jsonl --scorer my-prm

Each file is a subset, with its own rows. It can have any of the formats that `egrm train process-reward` reads, such as
ProcessBench or PRM800K. For each scorer it prints the share of steps judged correctly, the expected calibration error,
and the first-error F1, at a threshold of 0.5 and at the best threshold of the other half of the questions. Scores
that are shuffled among all steps say what chance finds at the latter.

Source: ProcessBench, Zheng et al. 2024, arXiv:2412.06559. Differs: see `training.step_figures`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from egrm_graph.benchmark.rule_comparison import BINS, named
from egrm_graph.errors import EgrmError, InputError, ModelError
from egrm_graph.intervals import Columns, Estimate, bootstrap, ratio
from egrm_graph.parts import load_scorer
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.scorer import Scorer, StepScorer, Unscored
from egrm_graph.settings import BUNDLED_SCORER
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.training.rollout_file import Rollout
from egrm_graph.training.step_data import read_step_rollouts
from egrm_graph.training.step_figures import (
    FirstErrors,
    added,
    at_other_half,
    first_errors,
    harmonic_mean,
    judged_paths,
)
from egrm_graph.training.step_targets import RIGHT_FROM

SHUFFLES = 10


class StepScores(NamedTuple):
    """A question whose paths could be scored, with the labels and scores of all steps that they list."""

    rollout: Rollout
    targets: Sequence[float]
    scores: Sequence[float]


@dataclass(frozen=True)
class StepResult:
    """The figures of one scorer on one file. None if they could not be measured."""

    scorer: str
    questions: int
    paths: int
    steps: int
    steps_right: Estimate | None
    """The share of right steps, which is the accuracy of calling all steps right."""
    step_accuracy: Estimate | None
    calibration_error: Estimate
    first_error_f1: Estimate | None
    accuracy_on_erroneous: Estimate | None
    accuracy_on_correct: Estimate | None
    first_error_f1_at_best_threshold: Estimate | None
    shuffled_f1: float | None
    """The same for scores that are shuffled among all steps of the file: what chance finds."""
    unscored: int
    """Paths that could not be scored. They do not count."""


@dataclass(frozen=True)
class StepReport:
    """The comparison on one file."""

    file: str
    rows: Sequence[StepResult]


async def score_steps(scorer: Scorer, rollouts: Sequence[Rollout], err: Console) -> tuple[list[StepScores], int]:
    """Score all labeled steps, several questions at once. Also counts the paths that could not be scored.

    Raises:
        ModelError: the scorer cannot score steps.
    """
    if not isinstance(scorer, StepScorer):
        raise ModelError(f"{scorer.name} cannot score steps; use a folder of `egrm train process-reward`")
    slots = asyncio.Semaphore(64)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(f"scoring with {scorer.name}", total=len(rollouts))

        async def one(rollout: Rollout) -> tuple[StepScores, int]:
            paths = [path for path in rollout.paths if path.steps]
            async with slots:
                ends = [[step.end for step in path.steps] for path in paths]
                scored = await scorer.score_steps(rollout.question, [path.text for path in paths], ends)
            progress.advance(task)
            known = [(path, some) for path, some in zip(paths, scored, strict=True) if not isinstance(some, Unscored)]
            shortened = rollout.model_copy(update={"paths": tuple(path for path, _ in known)})
            targets = [step.value for path, _ in known for step in path.steps]
            return StepScores(shortened, targets, [score for _, some in known for score in some]), len(paths) - len(
                known
            )

        found = await asyncio.gather(*map(one, rollouts))
    return [question for question, _ in found if question.targets], sum(lost for _, lost in found)


def figures_of(name: str, questions: Sequence[StepScores], unscored: int) -> StepResult:
    """The figures of one scorer, each with its 95 % interval over questions.

    Raises:
        InputError: no path could be scored.
    """
    if not questions:
        raise InputError(f"{name} could score none of the {unscored} paths with labeled steps; use shorter ones")
    judged = [(rollout, judged_paths(rollout, targets, scores)) for rollout, targets, scores in questions]
    at_half = [first_errors(paths) for _, paths in judged]
    n_steps = [len(targets) for _, targets, _ in questions]
    return StepResult(
        scorer=name,
        questions=len(questions),
        paths=sum(len(paths) for _, paths in judged),
        steps=sum(n_steps),
        steps_right=ratio([sum(target >= RIGHT_FROM for target in targets) for _, targets, _ in questions], n_steps),
        step_accuracy=ratio([_judged_correctly(question) for question in questions], n_steps),
        calibration_error=step_calibration_error(questions),
        first_error_f1=f1_of(at_half),
        accuracy_on_erroneous=ratio([some.found for some in at_half], [some.erroneous for some in at_half]),
        accuracy_on_correct=ratio([some.passed for some in at_half], [some.correct for some in at_half]),
        first_error_f1_at_best_threshold=f1_of(at_other_half(judged)),
        shuffled_f1=shuffled_f1(questions),
        unscored=unscored,
    )


def _judged_correctly(question: StepScores) -> int:
    pairs = zip(question.targets, question.scores, strict=True)
    return sum((target >= RIGHT_FROM) == (score >= RIGHT_FROM) for target, score in pairs)


def shuffled_f1(questions: Sequence[StepScores]) -> float | None:
    """The mean first-error F1 of shuffled scores, each time at the best threshold of the other half."""
    rng = random.Random(0)
    scores = [score for question in questions for score in question.scores]
    found = []
    for _ in range(SHUFFLES):
        rng.shuffle(scores)
        left = iter(scores)
        judged = [
            (rollout, judged_paths(rollout, targets, [next(left) for _ in targets]))
            for rollout, targets, _ in questions
        ]
        found.append(added(at_other_half(judged)).f1)
    return fmean(known) if (known := [f1 for f1 in found if f1 is not None]) else None


def f1_of(counts: Sequence[FirstErrors]) -> Estimate | None:
    """The first-error F1 over questions. None without paths of both kinds."""
    columns = np.array(counts, dtype=np.float64).T  # (4, questions)
    if not columns[1].any() or not columns[3].any():
        return None

    def f1(resampled: Columns) -> float:
        found, erroneous, passed, correct = resampled.sum(axis=1)
        if not erroneous or not correct:
            return float("nan")
        return harmonic_mean(found / erroneous, passed / correct) or 0.0

    return bootstrap(columns, f1)


def step_calibration_error(questions: Sequence[StepScores]) -> Estimate:
    """The expected calibration error over all steps, in bins of equal width. The interval is over questions.

    Source: Guo et al. 2017, arXiv:1706.04599.
    """
    sums = np.zeros((2, BINS, len(questions)))  # scores and targets, by bin and question
    for i, question in enumerate(questions):
        for target, score in zip(question.targets, question.scores, strict=True):
            sums[:, min(int(score * BINS), BINS - 1), i] += (score, target)
    n_steps = np.array([[len(question.targets) for question in questions]])

    def error(resampled: Columns) -> float:
        score, target = resampled[:-1].sum(axis=1).reshape(2, BINS)
        return float(np.abs(score - target).sum() / resampled[-1].sum())

    return bootstrap(np.concatenate([sums.reshape(2 * BINS, -1), n_steps]), error)


async def compare_steps(file: Path, folders: Mapping[str, Path], err: Console) -> StepReport:
    """Compare the scorers in these folders on one file.

    Raises:
        InputError: the data cannot be used.
        ModelError: a scorer cannot be loaded, or cannot score steps.
    """
    rollouts = read_step_rollouts(file)
    rows = []
    for name, folder in folders.items():
        scorer = load_scorer(folder)
        try:
            rows.append(figures_of(name, *await score_steps(scorer, rollouts, err)))
        finally:
            await scorer.aclose()
    return StepReport(str(file), rows)


def table_of(report: StepReport) -> Table:
    headings = (
        "steps judged correctly",
        "all called right",
        "calibration error",
        "first-error F1",
        "at best threshold",
        "shuffled",
    )
    first = report.rows[0]
    title = f"{report.file}: {first.questions:,} questions, {first.paths:,} paths, {first.steps:,} labeled steps"
    table = Table("scorer", *(Column(heading, right=True) for heading in headings), title=title)
    for row in report.rows:
        error = row.calibration_error
        table.add_row(
            row.scorer,
            *(_percent(value) for value in (row.step_accuracy, row.steps_right)),
            f"{error.value:.3f} [{error.low:.3f}, {error.high:.3f}]",
            *(_percent(value) for value in (row.first_error_f1, row.first_error_f1_at_best_threshold)),
            "none" if row.shuffled_f1 is None else f"{100 * row.shuffled_f1:.1f} %",
        )
    return table


def _percent(estimate: Estimate | None) -> str:
    return "none" if estimate is None else estimate.percent()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":\n\n")[0] + ".")
    parser.add_argument("data", type=Path, nargs="+", help="files with labeled steps, each a subset of its own")
    parser.add_argument(
        "--scorer",
        type=Path,
        nargs="+",
        default=[bundled(BUNDLED_SCORER)],
        help="folders of scorers, or parents of such folders (default: the bundled one)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    out, err = standard_output(), Console(stderr=True)
    try:
        reports = [asyncio.run(compare_steps(file, named(options.scorer), err)) for file in options.data]
    except EgrmError as error:
        sys.exit(f"error: {error}")
    for report in reports:
        out.print(table_of(report))
        for row in report.rows:
            if row.unscored:
                out.print(Text(f"{row.scorer}: {row.unscored} paths could not be scored, and did not count"))
    out.print(Text("Brackets are 95 % intervals over questions.", "dim"))
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(report) for report in reports], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
