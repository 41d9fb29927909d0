"""Train process scorers on labels from entropy trees and on labels of fixed steps, and compare them.

    python examples/arithmetic/train_verifier.py --steps 1800 --output body
    python examples/arithmetic/make_questions.py --train 2000 --output questions
    egrm rollouts questions/train.jsonl --task arithmetic --strategy entropy_tree --anchor-entropy 0.1 --paths 8 \\
        --path-stopping all --output trees.jsonl
    egrm rollouts questions/train.jsonl --task arithmetic --step-end ';' --completions 8 --paths 1 --output fixed.jsonl
    python examples/studies/step_labels.py trees.jsonl fixed.jsonl --base body --held-out held_out_trees.jsonl \\
        --steps steps.jsonl --paths eight_samples.jsonl --output step-labels

Every training sees at least --visits questions, so those with fewer questions repeat them. Its best weights are
chosen on --held-out, the same for all. --steps has paths with known first errors, from `make_steps.py --side test`, and
--paths has eight samples for each question, from `egrm rollouts`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.text import Text

from egrm_graph.benchmark.rule_comparison import score_steps as score_paths
from egrm_graph.benchmark.step_comparison import score_steps
from egrm_graph.intervals import Columns, Estimate, bootstrap
from egrm_graph.parts import load_scorer
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.scorer import StepScorer
from egrm_graph.scoring.step_profile import DEFAULT_AGGREGATION
from egrm_graph.settings import BUNDLED_SCORER
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.training.rollout_file import Rollout, write_rollouts
from egrm_graph.training.step_data import read_step_rollouts
from egrm_graph.training.step_figures import FirstErrors, at_other_half, first_errors, harmonic_mean, judged_paths
from egrm_graph.training.step_targets import RIGHT_FROM, StepLabels
from egrm_graph.training.train_process_reward import train_process_reward
from egrm_graph.training.training_data import read_rollouts
from egrm_graph.training.training_settings import ProcessTraining

STEP_END = ";"
CHOICE = DEFAULT_AGGREGATION
"""How the scores of steps choose among eight samples."""


class Data(NamedTuple):
    """What one kind of scorer learns from."""

    name: str
    rollouts: Sequence[Rollout]
    labels: StepLabels
    n: int
    """Questions. With each seed, others are drawn from the rollouts."""


def wanted(trees: Sequence[Rollout], fixed: Sequence[Rollout]) -> list[Data]:
    """Trees of 2, 10, and 100 % of the questions, and fixed steps at the cost of all trees and at full cost."""
    n, cost = len(trees), tokens(trees)
    n_equal = next(i for i in range(1, len(fixed) + 1) if i == len(fixed) or tokens(fixed[: i + 1]) > cost)
    return [
        Data("trees, 2 %", trees, "value", n // 50),
        Data("trees, 10 %", trees, "value", n // 10),
        Data("trees, 100 %", trees, "value", n),
        Data("trees, 100 %, published share", trees, "share", n),
        Data("fixed steps, at the cost of all trees", fixed, "value", n_equal),
        Data("fixed steps, 100 %", fixed, "value", len(fixed)),
    ]


def tokens(rollouts: Sequence[Rollout]) -> int:
    """What it cost to draw and label these."""
    return sum(rollout.completion_tokens or 0 for rollout in rollouts)


class Counts(NamedTuple):
    """What one scorer does on each test question."""

    errors: Sequence[FirstErrors]
    """By question of labeled steps, at a threshold of 0.5."""
    errors_at_best: Sequence[FirstErrors]
    """The same at the best threshold of the other half of the questions."""
    steps: Sequence[tuple[int, int]]
    """By question of labeled steps: those judged correctly, and all."""
    best: Sequence[float]
    """By question of paths: whether the best one of the eight is right."""


@dataclass(frozen=True)
class Row:
    """The figures of one kind of labels, the mean over its seeds."""

    name: str
    questions: int
    tokens: float
    first_error_f1: Estimate
    by_seed: Sequence[float]
    """The first-error F1 of each seed."""
    f1_at_best_threshold: Estimate
    step_accuracy: Estimate
    best_of_8: Estimate
    ahead_f1: Estimate | None
    """Over fixed steps at full cost, in points, paired."""
    ahead_best_of_8: Estimate | None


async def measured(folder: Path, steps: Sequence[Rollout], paths: Sequence[Rollout], err: Console) -> Counts:
    """What the scorer in this folder does on the test questions."""
    scorer = load_scorer(folder)
    assert isinstance(scorer, StepScorer)
    try:
        found, unscored = await score_steps(scorer, steps, err)
        assert not unscored
        by_path = (await score_paths(scorer, scorer.name, paths, STEP_END, err))[CHOICE]
    finally:
        await scorer.aclose()
    judged = [(rollout, judged_paths(rollout, targets, scores)) for rollout, targets, scores in found]
    right = [
        sum((target >= RIGHT_FROM) == (score >= RIGHT_FROM) for target, score in zip(targets, scores, strict=True))
        for _, targets, scores in found
    ]
    best = [max(range(len(scores)), key=lambda i: scores[i] or 0.0) for scores in by_path]
    return Counts(
        errors=[first_errors(of_paths) for _, of_paths in judged],
        errors_at_best=at_other_half(judged),
        steps=[(n, len(targets)) for n, (_, targets, _) in zip(right, found, strict=True)],
        best=[float(rollout.paths[i].correct) for rollout, i in zip(paths, best, strict=True)],
    )


def train(data: Data, seed: int, options: argparse.Namespace, folder: Path) -> tuple[Path, int]:
    """A scorer trained on the data, unless it is there. Also returns what its data cost."""
    chosen = random.Random(seed).sample(list(data.rollouts), data.n) if data.n < len(data.rollouts) else data.rollouts
    output = folder / f"{data.name.replace(' %', '').replace(', ', '-').replace(' ', '-')}-{seed}"
    if not (output / "report.json").exists():
        rollouts = folder / "data" / f"{output.name}.jsonl"
        write_rollouts(rollouts, chosen)
        config = ProcessTraining(
            rollouts=rollouts,
            held_out=options.held_out,
            base=str(options.base),
            input="{question}:{path}",
            output=output,
            labels=data.labels,
            step_end=STEP_END,
            epochs=max(1, round(options.visits / data.n)),
            learning_rate=options.learning_rate,
            batch_questions=8,
            precision=options.precision,
            evaluations=3,
            seed=seed,
        )
        train_process_reward(config, overwrite=True)
    return output, tokens(chosen)


def f1_of(columns: Columns) -> float:
    """The mean first-error F1 of several seeds. `columns` has four rows of counts for each of them."""
    by_seed = columns.sum(axis=1).reshape(-1, 4)
    return float(np.mean([_f1(*counts) for counts in by_seed]))


def _f1(found: float, erroneous: float, passed: float, correct: float) -> float:
    return harmonic_mean(found / erroneous, passed / correct) or 0.0 if erroneous and correct else float("nan")


def row(name: str, data: Data | None, cost: float, seeds: Sequence[Counts], base: Sequence[Counts] | None) -> Row:
    """The figures of one kind of labels. `base` has the scorers that it is compared with."""
    errors, best = _errors(seeds), _best(seeds)
    accuracy = np.concatenate([np.array(each.steps, dtype=float).T for each in seeds])  # (2 S, questions)

    def step_accuracy(columns: Columns) -> float:
        right, steps = columns.sum(axis=1).reshape(-1, 2).T
        return float((right / steps).mean())

    def ahead_f1(columns: Columns) -> float:
        return 100 * (f1_of(columns[: len(errors)]) - f1_of(columns[len(errors) :]))

    return Row(
        name=name,
        questions=0 if data is None else data.n,
        tokens=cost,
        first_error_f1=bootstrap(errors, f1_of),
        by_seed=[f1_of(_errors([each])) for each in seeds],
        f1_at_best_threshold=bootstrap(_columns([each.errors_at_best for each in seeds]), f1_of),
        step_accuracy=bootstrap(accuracy, step_accuracy),
        best_of_8=bootstrap(best, lambda columns: float(columns[0].mean())),
        ahead_f1=None if base is None else bootstrap(np.concatenate([errors, _errors(base)]), ahead_f1),
        ahead_best_of_8=None
        if base is None
        else bootstrap(
            np.concatenate([best, _best(base)]), lambda columns: 100 * float((columns[0] - columns[1]).mean())
        ),
    )


def _errors(seeds: Sequence[Counts]) -> Columns:
    """(4 S, questions)"""
    return _columns([each.errors for each in seeds])


def _columns(counts: Sequence[Sequence[FirstErrors]]) -> Columns:
    columns: Columns = np.concatenate([np.array(each, dtype=float).T for each in counts])
    return columns


def _best(seeds: Sequence[Counts]) -> Columns:
    """(1, questions)"""
    best: Columns = np.array([each.best for each in seeds]).mean(axis=0, keepdims=True)
    return best


def table(rows: Sequence[Row], title: str) -> Table:
    headings = (
        "questions",
        "tokens",
        "first-error F1",
        "by seed",
        "points",
        "at best threshold",
        "steps judged correctly",
        "best of 8",
        "points",
    )
    found = Table("labels", *(Column(heading, right=True) for heading in headings), title=title)
    for each in rows:
        found.add_row(
            each.name,
            f"{each.questions:,}" if each.questions else "",
            f"{each.tokens:,.0f}" if each.questions else "",
            each.first_error_f1.percent(),
            " ".join(f"{100 * value:.1f}" for value in each.by_seed),
            "" if each.ahead_f1 is None else each.ahead_f1.points(),
            each.f1_at_best_threshold.percent(),
            each.step_accuracy.percent(),
            each.best_of_8.percent(),
            "" if each.ahead_best_of_8 is None else each.ahead_best_of_8.points(),
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("trees", type=Path, help="labeled trees, from `egrm rollouts --strategy entropy_tree`")
    parser.add_argument("fixed", type=Path, help="labeled fixed steps, from `egrm rollouts --step-end`")
    parser.add_argument("--base", type=Path, required=True, help="folder of the model to train")
    parser.add_argument("--held-out", type=Path, required=True, help="labeled steps that choose the best weights")
    parser.add_argument("--steps", type=Path, required=True, help="test paths with known first errors")
    parser.add_argument("--paths", type=Path, required=True, help="test questions with eight samples each")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind")
    parser.add_argument(
        "--visits", type=int, default=1000, help="questions that a training sees, repeated ones included"
    )
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="see `egrm train`")
    parser.add_argument("--output", type=Path, default=Path("step-labels"))
    options = parser.parse_args()
    out, err = standard_output(), Console(stderr=True)
    kinds = wanted(read_step_rollouts(options.trees), read_step_rollouts(options.fixed))
    steps, paths = read_step_rollouts(options.steps), read_rollouts(options.paths)

    found: dict[str, list[Counts]] = {}
    costs: dict[str, list[int]] = {}
    for seed in range(options.seeds):
        for data in kinds:
            folder, cost = train(data, seed, options, options.output)
            counts = asyncio.run(measured(folder, steps, paths, err))
            found.setdefault(data.name, []).append(counts)
            costs.setdefault(data.name, []).append(cost)
            err.print(Text(f"{folder.name}: first-error F1 {100 * f1_of(_errors([counts])):.1f} %"))
    known = asyncio.run(measured(bundled(BUNDLED_SCORER), steps, paths, err))
    base = found[kinds[-1].name]
    rows = [
        row(each.name, each, float(np.mean(costs[each.name])), found[each.name], None if each is kinds[-1] else base)
        for each in kinds
    ]
    rows.append(row("the bundled scorer, trained on exact marks", None, 0, [known], None))
    n_steps = sum(len(path.steps) for rollout in steps for path in rollout.paths)
    title = f"{n_steps:,} steps of {len(steps):,} questions; best of 8 by {CHOICE} on {len(paths):,} questions"
    out.print(table(rows, title))
    right = np.array([[path.correct for path in rollout.paths] for rollout in paths])  # (questions, 8)
    out.print(
        Text(f"Of the eight, a random one is right in {right.mean():.1%}, and any one in {right.any(1).mean():.1%}.")
    )
    out.print(Text(f"Points: over {kinds[-1].name}. Brackets are 95 % intervals over questions.", "dim"))
    figures = options.output / "figures.json"
    figures.write_text(json.dumps([asdict(each) for each in rows], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
