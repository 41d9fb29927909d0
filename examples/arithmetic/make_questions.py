"""Write arithmetic questions as JSON lines, which `egrm rollouts` and the benchmarks read.

    python examples/arithmetic/make_questions.py --output build/questions

train.jsonl       questions for the scorer's training paths, most of them hard, where paths are often wrong
validation.jsonl  the same mixture, to choose the scorer's weights and to calibrate it
held_out.jsonl    test side, all levels equally: the 1,000 questions that ship with the package
hardest.jsonl     test side, the hardest level, where the gate mostly chooses reasoning
beyond.jsonl      test side, one level harder than anything in training

With `--hardest-train N`, also hardest_train.jsonl: the hardest level of the train side.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import world

WEIGHTS = (1, 1, 1, 1, 1, 3, 5)
HARDEST, BEYOND = len(world.LEVELS), len(world.LEVELS) + 1


def different(n: int, side: world.Side, weights: Sequence[float], seed: int) -> list[world.Question]:
    """`n` different questions. `weights` has the share of each level."""
    by_text: dict[str, world.Question] = {}
    for question in world.stream(random.Random(seed), side, weights):
        by_text.setdefault(question.text, question)
        if len(by_text) == n:
            break
    return list(by_text.values())


def only(level: int) -> tuple[int, ...]:
    """The weights of one level."""
    return (0,) * (level - 1) + (1,)


def write(file: Path, questions: Iterable[world.Question]) -> None:
    """Write one question per line."""
    name = file.stem.replace("_", "-")
    rows = (
        {"id": f"{name}-{i:04}", "question": q.text, "reference": str(q.answer), "level": q.level}
        for i, q in enumerate(questions)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def make(folder: Path, n_train: int, n: int, n_hardest_train: int = 0) -> None:
    """Write all five files, and the hardest questions to train on if any are wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "train.jsonl", different(n_train, "train", WEIGHTS, seed=0))
    write(folder / "validation.jsonl", different(n, "validation", WEIGHTS, seed=0))
    write(folder / "held_out.jsonl", world.sample(n, "test", seed=0))
    write(folder / "hardest.jsonl", different(n, "test", only(HARDEST), seed=1))
    write(folder / "beyond.jsonl", different(n, "test", only(BEYOND), seed=1))
    if n_hardest_train:
        write(folder / "hardest_train.jsonl", different(n_hardest_train, "train", only(HARDEST), seed=7))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/questions"))
    parser.add_argument("--train", type=int, default=3000, help="questions to train on")
    parser.add_argument("--questions", type=int, default=1000, help="questions in each of the other files")
    parser.add_argument("--hardest-train", type=int, default=0, metavar="N", help="also N hardest ones to train on")
    options = parser.parse_args()
    make(options.output, options.train, options.questions, options.hardest_train)
