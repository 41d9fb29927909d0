"""Train the bundled models from scratch. A later run skips the steps that are done.

    python examples/arithmetic/recipe.py            train everything, into build/
    python examples/arithmetic/recipe.py --install  also copy the results into the package
    python examples/arithmetic/recipe.py --compare  also compare all objectives and selection rules

1. `train_generator.py`: the model that answers directly and by reasoning. In parallel, on another core,
   `train_verifier.py`: a classifier that checks worked paths character by character.
2. `make_questions.py` and `egrm rollouts`: right and wrong paths of the generator on training questions.
   `make_verdicts.py`: pairs and lists of answers to judge. `train_judge.py`: the model that judges them.
3. `egrm train scorer`: the scorer, trained from the weights of the verifier on those paths.
4. `egrm rollouts --strategy entropy_tree`: trees of the generator on training questions. `egrm train process-reward`:
   the process scorer, trained from the weights of the scorer on their steps, and calibrated on other trees.
5. `train_mixed_judge.py`: from the judge's weights, the model that judges in two structures.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from transformers import LlamaForSequenceClassification

HERE = Path(__file__).parent
PACKAGED = HERE.parent.parent / "egrm_graph" / "models"
WEIGHTS = "model.safetensors"
PROCESS_SCORER = "egrm-tiny-process-scorer"
# The files of a model in addition to its weights. Checkpoints and reports stay in the build folder.
PACKAGED_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "egrm.json",
)
PATHS = {"train": 8, "validation": 8, "held_out": 16, "hardest": 16, "beyond": 16}
STEP_END = ";"
TEMPERATURES = {"train": 1.3}
"""A higher temperature gives more wrong paths to learn from. The others are drawn as in the graph."""
TESTS = ("hardest", "held_out", "beyond")
TREES = {"train": 4000, "hardest_train": 8000, "choosing": 600, "calibrating": 1000}
"""Questions that trees are grown on: to train on, to choose among the weights, and to calibrate."""
FIRST_TREES = 8318
"""The process scorer learns from so many trees first, and then from all."""

Step = tuple[str | Path, ...]


def make(build: Path) -> None:
    """Run the steps without results."""
    model, verifier = build / "egrm-tiny", build / "verifier"
    _in_parallel(
        (model / WEIGHTS, HERE / "train_generator.py", "--output", model),
        (verifier / WEIGHTS, HERE / "train_verifier.py", "--output", verifier),
    )
    questions = build / "questions"
    _in_parallel(
        (questions / "beyond.jsonl", HERE / "make_questions.py", "--output", questions),
        (questions / "held_out_lists.jsonl", HERE / "make_verdicts.py", "--output", questions),
    )
    judge = build / "egrm-tiny-judge"
    (build / "rollouts").mkdir(exist_ok=True)
    _in_parallel(_rollouts(build, "train"), _rollouts(build, "validation"))
    scorer = build / "scorers" / "hybrid"
    train = ("-m", "egrm_graph", "train", "scorer", *_training(build), "--output", scorer, "--resume")
    _in_parallel(
        (scorer / "egrm.json", *train),
        (judge / "tokenizer.json", HERE / "train_judge.py", model, "--output", judge),
    )
    mixed = build / "egrm-tiny-mixed-judge"
    _in_parallel((mixed / "tokenizer.json", HERE / "train_mixed_judge.py", judge, "--output", mixed))


def make_process_scorer(build: Path) -> None:
    """Grow trees, and train the process scorer on their steps, from the scorer's weights."""
    questions, folder = build / "tree_questions", build / PROCESS_SCORER
    sizes = {"--train": TREES["train"], "--hardest-train": TREES["hardest_train"], "--questions": 9000}
    options = [str(part) for pair in sizes.items() for part in pair]
    _in_parallel((questions / "hardest_train.jsonl", HERE / "make_questions.py", *options, "--output", questions))
    lines = (questions / "validation.jsonl").read_text("utf-8").splitlines(keepends=True)
    n = TREES["choosing"]
    (questions / "choosing.jsonl").write_text("".join(lines[:n]), "utf-8")
    (questions / "calibrating.jsonl").write_text("".join(lines[n : n + TREES["calibrating"]]), "utf-8")
    (build / "trees").mkdir(exist_ok=True)
    _in_parallel(_trees(build, "train"), _trees(build, "hardest_train"))
    _in_parallel(_trees(build, "choosing"), _trees(build, "calibrating"))
    trees, first = build / "trees", build / "process-scorer-first"
    rows = [row for name in ("train", "hardest_train") for row in (trees / f"{name}.jsonl").open(encoding="utf-8")]
    for name, part, base, output, seed in (
        ("first", rows[:FIRST_TREES], build / "scorers" / "hybrid", first, 0),
        ("all", rows, first, folder, 1),
    ):
        (trees / f"{name}.jsonl").write_text("".join(part), "utf-8")
        training = {
            "--held-out": trees / "choosing.jsonl",
            "--base": base,
            "--step-end": STEP_END,
            "--epochs": 1,
            "--learning-rate": 1e-4,
            "--batch-questions": 8,
            "--precision": "bfloat16",
            "--best-by": "loss",
            "--evaluations": 6,
            "--seed": seed,
            "--output": output,
        }
        options = [str(part) for pair in training.items() for part in pair]
        train: Step = ("-m", "egrm_graph", "train", "process-reward", trees / f"{name}.jsonl", "--resume", *options)
        _in_parallel((output / "egrm.json", *train))
    calibration = ("-m", "egrm_graph.benchmark.step_calibration", trees / "calibrating.jsonl", "--scorer", folder)
    _in_parallel((folder / "calibrated", *calibration, "--aggregation", "product"))


def compare(build: Path) -> None:
    """Train with every objective, and compare every rule on the scores of each scorer."""
    _in_parallel(*(_rollouts(build, name) for name in TESTS))
    tests = [part for name in TESTS for part in ("--test", build / "rollouts" / f"{name}.parquet")]
    figures = build / "scorers" / "objectives.json"
    output = ("--output", build / "scorers")
    _in_parallel((figures, "-m", "egrm_graph", "train", "ablation", *_training(build), *output, *tests))


def _rollouts(build: Path, name: str) -> Step:
    output = build / "rollouts" / f"{name}.parquet"  # written when it is complete
    options = {
        "--model": build / "egrm-tiny",
        "--task": "arithmetic",
        "--paths": PATHS[name],
        "--path-temperature": TEMPERATURES.get(name, 1.0),
        "--output": output,
    }
    arguments = [str(part) for pair in options.items() for part in pair]
    return output, "-m", "egrm_graph", "rollouts", build / "questions" / f"{name}.jsonl", "--resume", *arguments


def _trees(build: Path, name: str) -> Step:
    output = build / "trees" / f"{name}.jsonl"
    options = {
        "--model": build / "egrm-tiny",
        "--task": "arithmetic",
        "--strategy": "entropy_tree",
        "--anchor-entropy": 0.1,
        "--paths": 8,
        "--path-stopping": "all",
        "--concurrency": 64,
        "--output": output,
    }
    arguments = [str(part) for pair in options.items() for part in pair]
    return output, "-m", "egrm_graph", "rollouts", build / "tree_questions" / f"{name}.jsonl", "--resume", *arguments


def _training(build: Path) -> Step:
    rollouts = build / "rollouts"
    options = {
        "--held-out": rollouts / "validation.parquet",
        "--base": build / "verifier",
        "--input": "{question}:{path}",
        "--epochs": 1,
        "--learning-rate": 1e-4,
        "--evaluations": 3,
    }
    return rollouts / "train.parquet", *(str(part) for pair in options.items() for part in pair)


def _in_parallel(*steps: Step) -> None:
    """Run Python commands in parallel. A step is a result and its command, and is skipped if the result exists."""
    running = []
    # One thread each: in parallel they would wait for each other, and another number of threads gives other weights.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for result, *command in steps:
        if Path(result).exists():
            print(f"{result} exists", flush=True)
            continue
        print("running", *command, flush=True)
        running.append(subprocess.Popen([sys.executable, *map(str, command)], env=environment))
    if any([process.wait() for process in running]):  # noqa: C419 a list waits for all of them
        sys.exit("a step failed; see its output above")


def install(build: Path) -> None:
    """Copy the models and the held-out questions, pairs, and lists into the package."""
    models = [build / name for name in ("egrm-tiny", "egrm-tiny-judge", "egrm-tiny-mixed-judge")]
    scorers = {build / "scorers" / "hybrid": "egrm-tiny-scorer", build / PROCESS_SCORER: PROCESS_SCORER}
    for folder, name in (*((folder, folder.name) for folder in models), *scorers.items()):
        (PACKAGED / name).mkdir(parents=True, exist_ok=True)
        for file in (file for file in PACKAGED_FILES if (folder / file).exists()):
            _copy(folder / file, PACKAGED / name / file)
    for folder in models:
        _copy(folder / WEIGHTS, PACKAGED / folder.name / WEIGHTS)
    # This is half the size, and the scores are the same to three digits. It runs in single precision again.
    for folder, name in scorers.items():
        classifier = LlamaForSequenceClassification.from_pretrained(folder, dtype=torch.float16)
        classifier.save_pretrained(PACKAGED / name)
    for name in ("held_out", "held_out_pairs", "held_out_lists"):
        _copy(build / "questions" / f"{name}.jsonl", PACKAGED / f"{name}.jsonl")


def _copy(source: Path, target: Path) -> None:
    """Copy a file in one step. A process that has the old file open keeps it."""
    partial = target.with_name(f"{target.name}.part")
    shutil.copy(source, partial)
    partial.replace(target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--install", action="store_true", help="copy the results into the package")
    parser.add_argument("--compare", action="store_true", help="train with every objective, and compare them")
    options = parser.parse_args()
    make(options.build)
    make_process_scorer(options.build)
    if options.install:
        install(options.build)
    if options.compare:
        compare(options.build)
