"""The bundled model and its scorer, from nothing: steps that a later run does not do again.

    python examples/arithmetic/recipe.py            everything, into build/
    python examples/arithmetic/recipe.py --install  and from there into the package
    python examples/arithmetic/recipe.py --compare  and every objective and selection rule on held-out questions

1. `train_generator.py`: the model that answers directly and by reasoning. Beside it, on another core,
   `train_verifier.py`: a classifier that checks worked paths character by character.
2. `make_questions.py`, and `egrm rollouts`: the generator's paths on training questions, right and wrong;
   `make_verdicts.py`: pairs and lists of answers to judge, and `train_judge.py`: the model that judges them.
3. `egrm train scorer`: the scorer, from the verifier's weights, on those paths.
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
# What a model needs beside its weights; the rest (checkpoints, reports) stays in the build folder.
WANTED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "egrm.json",
)
PATHS = {"train": 8, "validation": 8, "held_out": 16, "hardest": 16, "beyond": 16}
TEMPERATURES = {"train": 1.3}
"""A little heat gives more of the wrong paths that there is to learn from; the others are drawn as the graph draws."""
TESTS = ("hardest", "held_out", "beyond")

Step = tuple[str | Path, ...]


def make(build: Path) -> None:
    """Runs the steps whose results are not there yet."""
    model, verifier = build / "egrm-tiny", build / "verifier"
    _side_by_side(
        (model / WEIGHTS, HERE / "train_generator.py", "--output", model),
        (verifier / WEIGHTS, HERE / "train_verifier.py", "--output", verifier),
    )
    questions = build / "questions"
    _side_by_side(
        (questions / "beyond.jsonl", HERE / "make_questions.py", "--output", questions),
        (questions / "held_out_lists.jsonl", HERE / "make_verdicts.py", "--output", questions),
    )
    judge = build / "egrm-tiny-judge"
    (build / "rollouts").mkdir(exist_ok=True)
    _side_by_side(_rollouts(build, "train"), _rollouts(build, "validation"))
    scorer = build / "scorers" / "hybrid"
    train = ("-m", "egrm_graph", "train", "scorer", *_training(build), "--output", scorer, "--resume")
    _side_by_side(
        (scorer / "egrm.json", *train),
        (judge / "tokenizer.json", HERE / "train_judge.py", model, "--output", judge),
    )


def compare(build: Path) -> None:
    """Trains by every objective, and prints what each rule makes of each scorer's scores."""
    _side_by_side(*(_rollouts(build, name) for name in TESTS))
    tests = [part for name in TESTS for part in ("--test", build / "rollouts" / f"{name}.parquet")]
    figures = build / "scorers" / "objectives.json"
    output = ("--output", build / "scorers")
    _side_by_side((figures, "-m", "egrm_graph", "train", "ablation", *_training(build), *output, *tests))


def _rollouts(build: Path, name: str) -> Step:
    output = build / "rollouts" / f"{name}.parquet"  # there once it is complete
    options = {
        "--model": build / "egrm-tiny",
        "--task": "arithmetic",
        "--paths": PATHS[name],
        "--path-temperature": TEMPERATURES.get(name, 1.0),
        "--output": output,
    }
    given = [str(part) for pair in options.items() for part in pair]
    return output, "-m", "egrm_graph", "rollouts", build / "questions" / f"{name}.jsonl", "--resume", *given


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


def _side_by_side(*steps: Step) -> None:
    """Runs the Python commands that are given after their results, all at once, but those whose result is there."""
    running = []
    # With a thread each: side by side they would wait for one another, and another number gives other weights.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for result, *command in steps:
        if Path(result).exists():
            print(f"{result} is there", flush=True)
            continue
        print("running", *command, flush=True)
        running.append(subprocess.Popen([sys.executable, *map(str, command)], env=environment))
    if any([process.wait() for process in running]):  # noqa: C419 a list, so that all are waited for
        sys.exit("a step failed; what it printed is above")


def install(build: Path) -> None:
    """Copies the models, the held-out questions, pairs and lists into the package."""
    model, judge, scorer = build / "egrm-tiny", build / "egrm-tiny-judge", build / "scorers" / "hybrid"
    for folder, name in ((model, "egrm-tiny"), (judge, "egrm-tiny-judge"), (scorer, "egrm-tiny-scorer")):
        (PACKAGED / name).mkdir(parents=True, exist_ok=True)
        for file in (file for file in WANTED if (folder / file).exists()):
            _copy(folder / file, PACKAGED / name / file)
    for folder in (model, judge):
        _copy(folder / WEIGHTS, PACKAGED / folder.name / WEIGHTS)
    # Half the size, and the same scores to three digits; it is run in single precision again.
    classifier = LlamaForSequenceClassification.from_pretrained(scorer, dtype=torch.float16)
    classifier.save_pretrained(PACKAGED / "egrm-tiny-scorer")
    for name in ("held_out", "held_out_pairs", "held_out_lists"):
        _copy(build / "questions" / f"{name}.jsonl", PACKAGED / f"{name}.jsonl")


def _copy(source: Path, target: Path) -> None:
    """Puts the file there as a whole: a process that has the old one open keeps it."""
    half = target.with_name(f"{target.name}.part")
    shutil.copy(source, half)
    half.replace(target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--install", action="store_true", help="copy the results into the package")
    parser.add_argument("--compare", action="store_true", help="train by every objective, and compare them")
    options = parser.parse_args()
    make(options.build)
    if options.install:
        install(options.build)
    if options.compare:
        compare(options.build)
