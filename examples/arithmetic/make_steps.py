"""Write worked paths with slips and a label for each step, to train and measure process scorers on. No model is asked.

    python examples/arithmetic/make_steps.py --questions 4000 --side train --output steps.jsonl
    egrm train process-reward steps.jsonl --base egrm-tiny --step-end ';' --output my-prm

A step ends with `;`, and the last one is the answer. The steps are labeled up to the first slip, which is wrong. Those
after it have no label: they are right given what was written, and cannot lead to the right answer any more.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import slips
import world

from egrm_graph.training.rollout_file import Rollout, RolloutPath, RolloutStep, write_rollouts

RATES = (0, 0.05, 0.1, 0.3)
KINDS = (5, 3, 1, 2, 4, 3, 2)
"""The weights of the kinds of slips. See `slips.KINDS`."""


def labeled(marked: slips.Marked) -> RolloutPath:
    """The path with its steps up to the first slip."""
    text = marked.text
    ends = [i + 1 for i, character in enumerate(text) if character == ";"] + [len(text)]
    slipped = next((i for i, end in enumerate(ends) if marked.marks[end - 1] == slips.WRONG), len(ends))
    steps = tuple(RolloutStep(end=end, value=float(i != slipped)) for i, end in enumerate(ends[: slipped + 1]))
    return RolloutPath(text=text, answer=text.rpartition("#")[2], correct=marked.correct, steps=steps)


def questions_with_paths(n: int, side: world.Side, seed: int, paths: int) -> list[Rollout]:
    """`n` questions of all levels, each with different paths."""
    rng = random.Random(seed)
    return [
        Rollout(
            id=question.text,
            question=question.text,
            reference=str(question.answer),
            level=question.level,
            paths=tuple(labeled(slips.slipping(question, rng, rng.choice(RATES), KINDS)) for _ in range(paths)),
        )
        for question in world.sample(n, side, seed)
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--questions", type=int, default=4000)
    parser.add_argument("--paths", type=int, default=4, help="paths for each question (default: 4)")
    parser.add_argument("--side", choices=("train", "validation", "test"), default="train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    write_rollouts(options.output, questions_with_paths(options.questions, options.side, options.seed, options.paths))
