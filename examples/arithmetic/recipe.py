"""The bundled model, from nothing: four steps, each of which a later run does not do again.

    python examples/arithmetic/recipe.py            everything, into build/
    python examples/arithmetic/recipe.py --install  and from there into the package

1. `train_generator.py`: the model that answers directly and by reasoning.
2. `make_rollouts.py`: its paths on training questions, right and wrong.
3. `egrm train scorer`: a scorer, from the generator's own weights. It is not installed: it orders paths no better
   than chance yet (its `report.json` says how well).
4. The 1,000 held-out questions.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import world

HERE = Path(__file__).parent
PACKAGED = HERE.parent.parent / "egrm_graph" / "models"
# What a model needs to be loaded; the rest (checkpoints, reports) stays in the build folder.
WANTED = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)


def make(build: Path) -> None:
    """Runs the steps whose results are not there yet."""
    model, rollouts, scorer = build / "egrm-tiny", build / "rollouts", build / "egrm-tiny-scorer"
    _step(model / "model.safetensors", HERE / "train_generator.py", "--output", model)
    _step(rollouts / "validation.jsonl", HERE / "make_rollouts.py", "--model", model, "--output", rollouts)
    _step(
        scorer / "model.safetensors",
        *("-m", "egrm_graph", "train", "scorer", rollouts / "train.jsonl"),
        *("--held-out", rollouts / "validation.jsonl", "--base", model, "--output", scorer),
        *("--input", "{question}:{path}", "--epochs", "3", "--learning-rate", "1e-3"),
    )
    questions = world.sample(1000, "test", seed=0)
    lines = [
        json.dumps({"id": f"held-out-{i:04}", "question": q.text, "reference": str(q.answer), "level": q.level})
        for i, q in enumerate(questions)
    ]
    (build / "held_out.jsonl").write_text("\n".join(lines) + "\n")


def _step(result: Path, *command: str | Path) -> None:
    if result.exists():
        print(f"{result} is there", flush=True)
        return
    print("running", *command, flush=True)
    subprocess.run([sys.executable, *map(str, command)], check=True)


def install(build: Path) -> None:
    """Copies the model and the held-out questions into the package."""
    (PACKAGED / "egrm-tiny").mkdir(parents=True, exist_ok=True)
    for file in WANTED:
        shutil.copy(build / "egrm-tiny" / file, PACKAGED / "egrm-tiny" / file)
    shutil.copy(build / "held_out.jsonl", PACKAGED / "held_out.jsonl")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--install", action="store_true", help="copy the results into the package")
    options = parser.parse_args()
    make(options.build)
    if options.install:
        install(options.build)
