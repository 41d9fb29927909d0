"""Draw rollouts of `egrm-tiny`, on which its scorer is trained: questions with eight paths each, marked right or wrong.

    python examples/arithmetic/make_rollouts.py --model build/egrm-tiny --output build/rollouts

writes `train.jsonl` (questions of the training side) and `validation.jsonl` (of the validation side). The levels are
weighted to where paths go wrong, because a question whose paths are all right says nothing about their order.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import world
from rich.progress import Progress
from train_generator import build_tokenizer
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase, set_seed

from egrm_graph.training.rollouts import Rollout, RolloutPath, write_rollouts


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is drawn from a given model."""

    questions: int = 4000
    held_out: int = 1000
    paths: int = 8
    temperature: float = 1.3
    """Of the training side's paths: a little heat gives more of the wrong ones that there is to learn from. The
    validation side's are drawn at 1, as the graph draws them."""
    weights: tuple[float, ...] = (1, 1, 1, 1, 1, 3, 5)
    """Each level's share of the questions."""
    keep_alike: int = 6
    """Of the training questions whose paths are all right or all wrong, one in so many is kept."""
    room: int = 24
    """Tokens that a path may be longer than a batch's longest worked answer; one that is cut has no answer."""
    batch: int = 64
    """Questions in one batch."""
    seed: int = 0


def draw_questions(n: int, side: world.Side, recipe: Recipe) -> list[world.Question]:
    """`n` different questions, those of like length together, so that a batch of them pads little."""
    found: dict[str, world.Question] = {}
    for question in world.stream(random.Random(recipe.seed), side, recipe.weights):
        found.setdefault(question.text, question)
        if len(found) == n:
            break
    return sorted(found.values(), key=lambda q: (q.level, len(world.worked(q)), q.text))


def roll_out(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[world.Question],
    recipe: Recipe,
    temperature: float,
) -> Iterator[Rollout]:
    """The questions with `recipe.paths` sampled paths each."""
    encoded = tokenizer([f"{q.text}:" for q in questions], return_tensors="pt", padding=True, padding_side="left")
    generator: Any = model  # `generate` has a type of `self` that no model fits
    longest = max(len(world.worked(q)) for q in questions)
    with torch.inference_mode():
        out = generator.generate(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            max_new_tokens=longest + recipe.room,
            num_return_sequences=recipe.paths,
            do_sample=True,
            temperature=temperature,
            top_k=0,
            top_p=1.0,
            use_cache=True,
            pad_token_id=tokenizer.pad_token_id,
        )  # (questions * paths, T)
    completions = out[:, encoded["input_ids"].shape[1] :].tolist()
    for i, question in enumerate(questions):
        rows = completions[i * recipe.paths : (i + 1) * recipe.paths]
        yield Rollout(
            id=question.text,
            question=question.text,
            reference=str(question.answer),
            level=question.level,
            paths=tuple(read_path(tokenizer, row, question) for row in rows),
        )


def read_path(tokenizer: PreTrainedTokenizerBase, row: list[int], question: world.Question) -> RolloutPath:
    """One completion: its text, and the answer behind the last `#`, which a path that was cut has not."""
    end: Any = tokenizer.eos_token_id  # one number in this tokenizer
    ended = end in row
    length = row.index(end) + 1 if ended else len(row)
    text = str(tokenizer.decode(row[:length], skip_special_tokens=True))
    answer = (text.rpartition("#")[2] or None) if ended and "#" in text else None
    return RolloutPath(text=text, answer=answer, correct=answer == str(question.answer), n_tokens=length)


def thinned(rollouts: Sequence[Rollout], keep_one_in: int) -> list[Rollout]:
    """All questions with right and wrong paths, and some of the others, which say nothing about the paths' order."""
    mixed = [len({path.correct for path in rollout.paths}) > 1 for rollout in rollouts]
    alike = itertools.count()
    return [
        rollout for rollout, is_mixed in zip(rollouts, mixed, strict=True) if is_mixed or next(alike) % keep_one_in == 0
    ]


def summary(rollouts: Sequence[Rollout]) -> str:
    """For each level: questions, the share of right paths, and the share of questions that have both kinds."""
    lines = []
    for level in sorted({rollout.level or 0 for rollout in rollouts}):
        right = [[path.correct for path in r.paths] for r in rollouts if r.level == level]
        share = sum(map(sum, right)) / sum(map(len, right))
        mixed = sum(any(marks) and not all(marks) for marks in right) / len(right)
        lines.append(f"level {level}: {len(right)} questions, {share:.3f} of paths right, {mixed:.3f} mixed")
    return "\n".join(lines)


def make(recipe: Recipe, folder: Path, output: Path) -> None:
    """Writes both files; the same recipe, model and thread count give the same ones."""
    torch.set_num_threads(1)  # another number gives other paths
    set_seed(recipe.seed)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = build_tokenizer()
    sides: tuple[tuple[world.Side, int], ...] = (("train", recipe.questions), ("validation", recipe.held_out))
    for side, n in sides:
        questions = draw_questions(n, side, recipe)
        rollouts: list[Rollout] = []
        with Progress() as progress:
            for start in progress.track(range(0, n, recipe.batch), description=f"{side}: {n} questions"):
                batch = questions[start : start + recipe.batch]
                rollouts += roll_out(model, tokenizer, batch, recipe, recipe.temperature if side == "train" else 1.0)
        if side == "train":
            rollouts = thinned(rollouts, recipe.keep_alike)
        write_rollouts(output / f"{side}.jsonl", rollouts)
        print(f"{side}\n{summary(rollouts)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, default=Path("build/egrm-tiny"))
    parser.add_argument("--output", type=Path, default=Path("build/rollouts"))
    parser.add_argument("--questions", type=int, default=Recipe.questions)
    parser.add_argument("--held-out", type=int, default=Recipe.held_out)
    parser.add_argument("--paths", type=int, default=Recipe.paths)
    parser.add_argument("--weights", type=float, nargs=len(world.LEVELS), default=Recipe.weights, metavar="SHARE")
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    options = parser.parse_args()
    make(
        Recipe(
            questions=options.questions,
            held_out=options.held_out,
            paths=options.paths,
            weights=tuple(options.weights),
            seed=options.seed,
        ),
        options.model,
        options.output,
    )
