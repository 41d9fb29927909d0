"""Compares the rules that choose among reasoning paths, on one or several scorers' scores, and their calibration.

    python -m egrm_graph.benchmark.rule_comparison rollouts.jsonl --scorer my-scorer --sizes 4 8 16

The rollouts come from `egrm rollouts`, with as many paths a question as the largest size. Prints, for each size, the
accuracy of the majority vote, of every rule with every scorer, and of the best possible choice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from egrm_graph.benchmark.rule_figures import MAJORITY, Row, Scores, compare, with_paths
from egrm_graph.errors import EgrmError, InputError
from egrm_graph.intervals import Columns, Estimate, bootstrap
from egrm_graph.parts import load_scorer
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.scorer import Scorer, Unscored
from egrm_graph.settings import BUNDLED_SCORER
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.training.rollout_file import Rollout
from egrm_graph.training.training_data import read_rollouts

BINS = 15


@dataclass(frozen=True)
class Report:
    """The comparison on one file of rollouts."""

    file: str
    questions: int
    rows: Sequence[Row]
    errors: Mapping[str, Estimate]
    """Each scorer's expected calibration error, over all paths."""
    uncalibrated: Sequence[str]
    """Scorers whose scores were never fitted to be probabilities."""
    unscored: Mapping[str, int]
    """Paths with an answer that a scorer could not score."""


async def score(scorer: Scorer, rollouts: Sequence[Rollout], err: Console) -> list[list[float | None]]:
    """The scores of all paths, some questions at once."""
    slots = asyncio.Semaphore(64)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(f"scoring with {scorer.name}", total=len(rollouts))

        async def one(rollout: Rollout) -> list[float | None]:
            async with slots:
                scores = await scorer.score(rollout.question, [path.text for path in rollout.paths])
            progress.advance(task)
            return [None if isinstance(score, Unscored) else score for score in scores]

        return list(await asyncio.gather(*map(one, rollouts)))


def read_test(file: Path, sizes: Sequence[int]) -> list[Rollout]:
    """The questions of a file of rollouts that have paths enough for the largest size.

    Raises:
        InputError: there are none.
    """
    try:
        return with_paths(read_rollouts(file), max(sizes))
    except InputError as error:
        raise InputError(str(error) if str(file) in str(error) else f"{file}: {error}") from error


async def report(file: Path, folders: Mapping[str, Path], sizes: Sequence[int], err: Console) -> Report:
    """The comparison of the scorers in these folders on one file.

    Raises:
        InputError: the rollouts cannot be used.
        ModelError: a scorer cannot be loaded.
    """
    rollouts = read_test(file, sizes)
    scored: dict[str, Scores] = {}
    uncalibrated = []
    for name, folder in folders.items():
        scorer = load_scorer(folder)
        try:
            scored[name] = await score(scorer, rollouts, err)
            uncalibrated += [] if scorer.calibrated else [name]
        finally:
            await scorer.aclose()
    rows = compare(rollouts, scored, sizes)
    errors = {name: calibration_error(rollouts, scores) for name, scores in scored.items()}
    unscored = {
        name: sum(
            score is None and path.answer is not None
            for rollout, found in zip(rollouts, scores, strict=True)
            for path, score in zip(rollout.paths, found, strict=True)
        )
        for name, scores in scored.items()
    }
    return Report(str(file), len(rollouts), rows, errors, uncalibrated, unscored)


def calibration_error(rollouts: Sequence[Rollout], scores: Scores) -> Estimate:
    """The expected calibration error over all scored paths, in bins of equal width; the interval is over questions.

    Source: Guo et al. 2017, arXiv:1706.04599.
    """
    sums = np.zeros((2, BINS, len(rollouts)))  # of the scores and of the targets, in each bin, for each question
    for i, (rollout, found) in enumerate(zip(rollouts, scores, strict=True)):
        for path, score in zip(rollout.paths, found, strict=True):
            if score is not None:
                sums[:, min(int(score * BINS), BINS - 1), i] += (score, path.target)
    n_paths = np.array([[sum(score is not None for score in found) for found in scores]])
    columns = np.concatenate([sums.reshape(2 * BINS, -1), n_paths])

    def error(resampled: Columns) -> float:
        score, target = resampled[:-1].sum(axis=1).reshape(2, BINS)
        return float(np.abs(score - target).sum() / resampled[-1].sum())

    return bootstrap(columns, error)


def tables(found: Report) -> list[Table]:
    """One table a size, and one of the calibration errors."""
    made = []
    for n in sorted({row.paths for row in found.rows}):
        title = f"{found.file}: {found.questions:,} questions, {n} paths"
        figures = (Column(heading, right=True) for heading in ("accuracy", "over majority"))
        table = Table("scorer", "rule", *figures, title=title)
        for row in found.rows:
            if row.paths == n:
                ahead = "" if row.rule == MAJORITY else row.ahead_points.points()
                table.add_row(row.scorer or "", row.rule, row.accuracy.percent(), ahead)
        made.append(table)
    return made


def print_report(found: Report, out: Console) -> None:
    """The tables, and what they leave out."""
    for table in tables(found):
        out.print(table)
    for name, error in found.errors.items():
        told = ", not calibrated" if name in found.uncalibrated else ""
        out.print(
            Text(f"{name}: expected calibration error {error.value:.3f} [{error.low:.3f}, {error.high:.3f}]{told}")
        )
    for name, count in found.unscored.items():
        if count:
            out.print(Text(f"{name}: {count} paths could not be scored, and had no say"))
    out.print(
        Text(
            "Brackets are 95 % intervals over questions; what is over the majority is paired, in percentage points.",
            "dim",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("rollouts", type=Path, nargs="+", help="files of rollouts; each is a comparison of its own")
    parser.add_argument(
        "--scorer",
        type=Path,
        nargs="+",
        default=[bundled(BUNDLED_SCORER)],
        help="folders of scorers, or parents of such folders (default: the bundled one)",
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 16], help="paths to choose among")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file as well")
    given = parser.parse_args()
    out, err = standard_output(), Console(stderr=True)
    try:
        found = [asyncio.run(report(file, named(given.scorer), given.sizes, err)) for file in given.rollouts]
    except EgrmError as error:
        sys.exit(f"error: {error}")
    tell(found, out, given.json)


def tell(found: Sequence[Report], out: Console, figures: Path | None = None) -> None:
    """Prints the comparisons, and writes them to `figures` as JSON."""
    for each in found:
        print_report(each, out)
    if figures is not None:
        figures.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n", "utf-8")


def named(folders: Sequence[Path]) -> dict[str, Path]:
    """The scorers in these folders by their folders' names; of a folder without one, those in the folders in it."""
    found: dict[str, Path] = {}
    for folder in folders:
        whole = (
            [folder] if (folder / "config.json").exists() else sorted(p.parent for p in folder.glob("*/config.json"))
        )
        found |= {each.resolve().name: each for each in whole or [folder]}
    return found


if __name__ == "__main__":
    main()
