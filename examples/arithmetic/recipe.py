"""The bundled model and its scorer, from nothing: steps that a later run does not do again.

    python examples/arithmetic/recipe.py            everything, into build/
    python examples/arithmetic/recipe.py --install  and from there into the package

1. `train_generator.py`: the model that answers directly and by reasoning. Beside it, on another core,
   `train_verifier.py`: a classifier that checks worked paths character by character.
2. `make_rollouts.py`: the generator's paths on training questions, right and wrong.
3. `egrm train scorer`: the scorer, from the verifier's weights, on those paths.
4. The 1,000 held-out questions.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import torch
import world
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


def make(build: Path) -> None:
    """Runs the steps whose results are not there yet."""
    model, verifier = build / "egrm-tiny", build / "verifier"
    rollouts, scorer = build / "rollouts", build / "egrm-tiny-scorer"
    _side_by_side(
        (model / WEIGHTS, HERE / "train_generator.py", "--output", model),
        (verifier / WEIGHTS, HERE / "train_verifier.py", "--output", verifier),
    )
    # The generator's last phase is for its fast answers; its paths are those of the phase before.
    sampled = model / "phase-2"
    _side_by_side((rollouts / "validation.jsonl", HERE / "make_rollouts.py", "--model", sampled, "--output", rollouts))
    _side_by_side(
        (
            scorer / WEIGHTS,
            *("-m", "egrm_graph", "train", "scorer", rollouts / "train.jsonl"),
            *("--held-out", rollouts / "validation.jsonl", "--base", verifier, "--output", scorer),
            *("--input", "{question}:{path}", "--epochs", "1", "--learning-rate", "1e-4", "--evaluations", "3"),
        )
    )
    questions = world.sample(1000, "test", seed=0)
    lines = [
        json.dumps({"id": f"held-out-{i:04}", "question": q.text, "reference": str(q.answer), "level": q.level})
        for i, q in enumerate(questions)
    ]
    (build / "held_out.jsonl").write_text("\n".join(lines) + "\n")


def _side_by_side(*steps: tuple[str | Path, ...]) -> None:
    """Runs the Python commands that are given after their results, all at once, but those whose result is there."""
    running = []
    for result, *command in steps:
        if Path(result).exists():
            print(f"{result} is there", flush=True)
            continue
        print("running", *command, flush=True)
        running.append(subprocess.Popen([sys.executable, *map(str, command)]))
    if any([process.wait() for process in running]):  # noqa: C419 a list, so that all are waited for
        sys.exit("a step failed; what it printed is above")


def install(build: Path) -> None:
    """Copies the models and the held-out questions into the package."""
    for name in ("egrm-tiny", "egrm-tiny-scorer"):
        (PACKAGED / name).mkdir(parents=True, exist_ok=True)
        for file in (file for file in WANTED if (build / name / file).exists()):
            shutil.copy(build / name / file, PACKAGED / name / file)
    shutil.copy(build / "egrm-tiny" / WEIGHTS, PACKAGED / "egrm-tiny" / WEIGHTS)
    # Half the size, and the same scores to three digits; it is run in single precision again.
    scorer = LlamaForSequenceClassification.from_pretrained(build / "egrm-tiny-scorer", dtype=torch.float16)
    scorer.save_pretrained(PACKAGED / "egrm-tiny-scorer")
    shutil.copy(build / "held_out.jsonl", PACKAGED / "held_out.jsonl")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--install", action="store_true", help="copy the results into the package")
    options = parser.parse_args()
    make(options.build)
    if options.install:
        install(options.build)
