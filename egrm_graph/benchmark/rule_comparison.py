"""Compare the rules that choose among reasoning paths, with one or more scorers, and the calibration of the scores.

    python -m egrm_graph.benchmark.rule_comparison rollouts.jsonl --scorer my-scorer --sizes 4 8 16

    python -m egrm_graph.benchmark.rule_comparison rollouts.jsonl --steps ";"

The rollouts come from `egrm rollouts`, with at least as many paths per question as the largest size. For each size, it
prints the accuracy of the majority vote, of every rule with every scorer, and of the best possible choice. With
`--steps`, each aggregation of the scores of steps is one more scorer, compared with the scores of the full paths.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from egrm_graph.benchmark.rule_figures import MAJORITY, RuleRow, Scores, compare, with_paths
from egrm_graph.errors import EgrmError, InputError
from egrm_graph.intervals import Columns, Estimate, bootstrap
from egrm_graph.parts import load_scorer
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.scorer import Scorer, StepScorer, Unscored
from egrm_graph.scoring.step_grading import step_grading
from egrm_graph.settings import BUNDLED_SCORER
from egrm_graph.steps.aggregation import AGGREGATIONS
from egrm_graph.steps.cutting import step_cutter
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.training.rollout_file import Rollout
from egrm_graph.training.training_data import read_rollouts

BINS = 15
_T = TypeVar("_T")


@dataclass(frozen=True)
class RuleReport:
    """The comparison on one file of rollouts."""

    file: str
    questions: int
    rows: Sequence[RuleRow]
    errors: Mapping[str, Estimate]
    """The expected calibration error of each scorer, over all paths."""
    uncalibrated: Sequence[str]
    """Scorers whose scores are not calibrated probabilities, and aggregations of step scores that are not."""
    unscored: Mapping[str, int]
    """Paths with an answer that each scorer could not score."""


async def score(scorer: Scorer, rollouts: Sequence[Rollout], err: Console) -> Scores:
    """Score all paths, several questions at once."""

    async def of_paths(rollout: Rollout) -> list[float | Unscored]:
        return await scorer.score(rollout.question, [path.text for path in rollout.paths])

    scored = await _of_all(scorer.name, of_paths, rollouts, err)
    return [[None if isinstance(score, Unscored) else score for score in of_question] for of_question in scored]


async def score_steps(
    scorer: StepScorer, name: str, rollouts: Sequence[Rollout], steps: str, err: Console
) -> dict[str, Scores]:
    """Score the steps of all paths, several questions at once. Gives the scores of the paths by aggregation."""
    cut = step_cutter(steps)

    async def of_paths(rollout: Rollout) -> list[list[float] | Unscored]:
        texts = [path.text for path in rollout.paths]
        return await scorer.score_steps(rollout.question, texts, [cut(text) for text in texts])

    scored = await _of_all(f"the steps of {name}", of_paths, rollouts, err)
    return {
        aggregation: [
            [None if isinstance(scores, Unscored) else aggregate(scores) for scores in of_question]
            for of_question in scored
        ]
        for aggregation, aggregate in AGGREGATIONS.items()
    }


async def _of_all(
    name: str, score_one: Callable[[Rollout], Awaitable[_T]], rollouts: Sequence[Rollout], err: Console
) -> list[_T]:
    slots = asyncio.Semaphore(64)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(f"scoring with {name}", total=len(rollouts))

        async def one(rollout: Rollout) -> _T:
            async with slots:
                scored = await score_one(rollout)
            progress.advance(task)
            return scored

        return list(await asyncio.gather(*map(one, rollouts)))


def read_test(file: Path, sizes: Sequence[int]) -> list[Rollout]:
    """Read the questions of a file of rollouts that have enough paths for the largest size.

    Raises:
        InputError: no question has enough paths.
    """
    try:
        return with_paths(read_rollouts(file), max(sizes))
    except InputError as error:
        raise InputError(str(error) if str(file) in str(error) else f"{file}: {error}") from error


async def compare_rules(
    file: Path, folders: Mapping[str, Path], sizes: Sequence[int], err: Console, steps: str | None = None
) -> RuleReport:
    """Compare the scorers in these folders on one file; with `steps`, also each aggregation of the scores of steps.

    Raises:
        InputError: the rollouts cannot be used.
        ModelError: a scorer cannot be loaded.
        SettingsError: a scorer cannot score steps, or `steps` does not say where they end.
    """
    rollouts = read_test(file, sizes)
    scored: dict[str, Scores] = {}
    full: dict[str, str] = {}
    uncalibrated = []
    for name, folder in folders.items():
        scorer = load_scorer(folder)
        try:
            scored[name] = await score(scorer, rollouts, err)
            uncalibrated += [] if scorer.calibrated else [name]
            if steps is not None:
                gradings = {rule: step_grading(scorer, steps, rule) for rule in AGGREGATIONS}
                names = {rule: f"{name} ({rule})" for rule in AGGREGATIONS}
                assert isinstance(scorer, StepScorer)  # `step_grading` has checked it
                found = await score_steps(scorer, name, rollouts, steps, err)
                scored |= {names[rule]: scores for rule, scores in found.items()}
                full |= dict.fromkeys(names.values(), name)
                uncalibrated += [names[rule] for rule, made in gradings.items() if made and not made.calibrated]
        finally:
            await scorer.aclose()
    rows = compare(rollouts, scored, sizes, full)
    errors = {name: calibration_error(rollouts, scores) for name, scores in scored.items()}
    unscored = {
        name: sum(
            score is None and path.answer is not None
            for rollout, own in zip(rollouts, scores, strict=True)
            for path, score in zip(rollout.paths, own, strict=True)
        )
        for name, scores in scored.items()
    }
    return RuleReport(str(file), len(rollouts), rows, errors, uncalibrated, unscored)


def calibration_error(rollouts: Sequence[Rollout], scores: Scores) -> Estimate:
    """The expected calibration error over all scored paths, in bins of equal width. The interval is over questions.

    Source: Guo et al. 2017, arXiv:1706.04599.
    """
    sums = np.zeros((2, BINS, len(rollouts)))  # scores and targets, by bin and question
    for i, (rollout, own) in enumerate(zip(rollouts, scores, strict=True)):
        for path, score in zip(rollout.paths, own, strict=True):
            if score is not None:
                sums[:, min(int(score * BINS), BINS - 1), i] += (score, path.target)
    n_paths = np.array([[sum(score is not None for score in own) for own in scores]])
    columns = np.concatenate([sums.reshape(2 * BINS, -1), n_paths])

    def error(resampled: Columns) -> float:
        score, target = resampled[:-1].sum(axis=1).reshape(2, BINS)
        return float(np.abs(score - target).sum() / resampled[-1].sum())

    return bootstrap(columns, error)


def tables(report: RuleReport) -> list[Table]:
    """A table for each size."""
    made = []
    for n in sorted({row.paths for row in report.rows}):
        title = f"{report.file}: {report.questions:,} questions, {n} paths"
        with_steps = any(row.over_full_points is not None for row in report.rows)
        headings = ["accuracy", "over majority", *(["over full paths"] if with_steps else [])]
        table = Table("scorer", "rule", *(Column(heading, right=True) for heading in headings), title=title)
        for row in report.rows:
            if row.paths == n:
                ahead = "" if row.rule == MAJORITY else row.ahead_points.points()
                over_full = "" if row.over_full_points is None else row.over_full_points.points()
                cells = [row.scorer or "", row.rule, row.accuracy.percent(), ahead, over_full]
                table.add_row(*cells[: 2 + len(headings)])
        made.append(table)
    return made


def print_report(report: RuleReport, out: Console) -> None:
    """Print the tables, the calibration errors, and what could not be scored."""
    for table in tables(report):
        out.print(table)
    for name, error in report.errors.items():
        note = ", not calibrated" if name in report.uncalibrated else ""
        out.print(
            Text(f"{name}: expected calibration error {error.value:.3f} [{error.low:.3f}, {error.high:.3f}]{note}")
        )
    for name, count in report.unscored.items():
        if count:
            out.print(Text(f"{name}: {count} paths could not be scored, and did not count"))
    by_steps = any(row.over_full_points is not None for row in report.rows)
    gains = "Gains are" if by_steps else "The gain over the majority is"
    out.print(
        Text(
            f"Brackets are 95 % intervals over questions. {gains} paired, in percentage points.",
            "dim",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("rollouts", type=Path, nargs="+", help="files of rollouts, each compared separately")
    parser.add_argument(
        "--scorer",
        type=Path,
        nargs="+",
        default=[bundled(BUNDLED_SCORER)],
        help="folders of scorers, or parents of such folders (default: the bundled one)",
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 16], help="paths to choose among")
    parser.add_argument(
        "--steps", metavar="RULE", help="also score steps: lines, sentences, or a regular expression that ends one"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    out, err = standard_output(), Console(stderr=True)
    try:
        reports = [
            asyncio.run(compare_rules(file, named(options.scorer), options.sizes, err, options.steps))
            for file in options.rollouts
        ]
    except EgrmError as error:
        sys.exit(f"error: {error}")
    write_reports(reports, out, options.json)


def write_reports(reports: Sequence[RuleReport], out: Console, figures: Path | None = None) -> None:
    """Print the comparisons, and write them to `figures` as JSON."""
    for report in reports:
        print_report(report, out)
    if figures is not None:
        figures.write_text(json.dumps([asdict(report) for report in reports], indent=1) + "\n", "utf-8")


def named(folders: Sequence[Path]) -> dict[str, Path]:
    """The scorers in these folders, by folder name. A folder without a scorer represents those in its subfolders."""
    found: dict[str, Path] = {}
    for folder in folders:
        scorers = (
            [folder] if (folder / "config.json").exists() else sorted(p.parent for p in folder.glob("*/config.json"))
        )
        found |= {scorer.resolve().name: scorer for scorer in scorers or [folder]}
    return found


if __name__ == "__main__":
    main()
