"""Train the bundled mixed judge in every style and by its verdicts, with controls, for `judge_styles.py` to measure.

    python examples/arithmetic/make_judgments.py --output build/judgments
    python examples/studies/judge_training.py build/judgments --output build/judge_runs --seeds 3

For each seed, the parts are:

styles      the base, trained on judgments of each style: `breadth`, `depth`, `mixed`, `raw`, or those of --styles
reinforced  each of these, reinforced by its verdicts
taught      the base, trained on too few judgments of the style `mixed` to be sure which structure fits, and then
            reinforced: on the right labels, on shuffled ones, and in a world where both structures are always right
base        the base itself, reinforced in the same three ways

The last two ways are controls: in neither does a fitting structure have more right verdicts. A run that is complete is
skipped, so a killed study can be started again, and parts can run side by side. At the end, the command that measures
the judges is printed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_MIXED_JUDGE

PARTS = ("styles", "reinforced", "taught", "base")
STYLES = ("breadth", "depth", "mixed", "raw")
CONTROLS = {"": "train_pairs", "shuffled": "train_pairs", "neutral": "neutral_pairs"}
"""The ways to reinforce `taught` and `base`, and the pairs of each."""
TAUGHT_ROWS = 1200
SUPERVISED = {"--epochs": 1, "--batch-size": 32, "--rows-at-once": 32, "--learning-rate": 1e-4}
UNFAMILIAR = {style: {"--learning-rate": 5e-4} for style in ("raw", "unmerged-4", "underived")}
"""Styles that the base has never seen. They learn from all judgments, and with these settings."""
REINFORCED = {
    "--batch-size": 64,
    "--rows-at-once": 64,
    "--rollout-tokens": 160,
    "--temperature": 1.0,
    "--learning-rate": 1e-4,
    # With the published 0.001, so small a model gets worse at judging while it learns to choose.
    "--kl": 0.1,
}


def supervised(name: str, style: str, rows: int, seed: int, options: argparse.Namespace) -> Path:
    """Train the base on judgments of a style."""
    data = options.output / f"{name}.jsonl"
    lines = (options.judgments / f"train_{style}.jsonl").read_text("utf-8").splitlines(keepends=True)
    data.write_text("".join(lines if style in UNFAMILIAR else lines[:rows]), "utf-8")
    arguments = [part for pair in (SUPERVISED | UNFAMILIAR.get(style, {})).items() for part in pair]
    return train(options.output / f"{name}-{seed}", data, options.base, seed, arguments)


def reinforced(name: str, base: Path, pairs: str, seed: int, options: argparse.Namespace) -> Path:
    """Reinforce a judge by its verdicts."""
    arguments = ["--reinforce", "--steps", options.steps, *(part for pair in REINFORCED.items() for part in pair)]
    if name.endswith("shuffled"):
        arguments.append("--shuffle-labels")
    return train(options.output / f"{name}-{seed}", options.judgments / f"{pairs}.jsonl", base, seed, arguments)


def train(output: Path, data: Path, base: Path, seed: int, arguments: Sequence[object]) -> Path:
    """Run `egrm train judge`, unless its result is there, and return its folder."""
    command = ["-m", "egrm_graph", "train", "judge", data, "--base", base, "--judged-as", BUNDLED_MIXED_JUDGE]
    command += ["--output", output, "--seed", seed, "--resume", *arguments]
    print(shlex.join(["python", *map(str, command)]), flush=True)
    # One thread: another number of threads gives other weights.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *map(str, command)], check=True, env=environment)
    return output


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("judgments", type=Path, help="the folder that make_judgments.py wrote")
    parser.add_argument("--output", type=Path, required=True, help="a folder for the judges")
    parser.add_argument("--base", type=Path, default=bundled(BUNDLED_MIXED_JUDGE), help="the judge to start from")
    parser.add_argument("--styles", nargs="+", default=STYLES, help="styles of judgments to learn from")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 on")
    parser.add_argument("--rows", type=int, default=3000, help="judgments to learn from, half of each domain")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to train; all by default")
    parser.add_argument("--steps", type=int, default=100, help="steps of reinforcement")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    judges: dict[str, list[Path]] = {}
    for seed in range(options.seeds):
        for style in options.styles if {"styles", "reinforced"} & {*options.parts} else ():
            learned = supervised(style, style, options.rows, seed, options)
            judges.setdefault(style, []).append(learned)
            if "reinforced" in options.parts:
                name = f"{style}-reinforced"
                judges.setdefault(name, []).append(reinforced(name, learned, "train_pairs", seed, options))
        starts: dict[str, Path] = {}
        if "taught" in options.parts:
            starts["taught"] = supervised("taught", "mixed", TAUGHT_ROWS, seed, options)
            judges.setdefault("taught", []).append(starts["taught"])
        if "base" in options.parts:
            starts["base"] = options.base
        for start, judge in starts.items():
            for control, pairs in CONTROLS.items():
                name = "-".join((start, "reinforced", *filter(None, [control])))
                judges.setdefault(name, []).append(reinforced(name, judge, pairs, seed, options))
    measured = [f"{name}={','.join(map(str, folders))}" for name, folders in judges.items()]
    study = ["python", "examples/studies/judge_styles.py", str(options.judgments / "test_pairs.jsonl")]
    print(shlex.join([*study, f"base={options.base}", *measured]))


if __name__ == "__main__":
    main()
