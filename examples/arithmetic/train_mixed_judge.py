"""Train `egrm-tiny-mixed-judge`: a judge that knows two structures of judgments in two domains (`tastes.py`).

    python examples/arithmetic/train_mixed_judge.py build/egrm-tiny-judge --output build/egrm-tiny-mixed-judge

It starts from the weights of the bundled judge, with new rows for the new characters. After `:` it learns breadth and
depth equally often in both domains, and so chooses between them at random. After `=` it learns fast verdicts. Nothing
in its training says which structure suits which domain: the verdict of a judgment follows from its own units, right or
wrong.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structures
import tastes
import torch
from tastes import DOMAINS, TASTES, Domain, Pair
from torch.utils.data import IterableDataset
from train_generator import Schedule, complete, run
from train_judge import Example, encode, extended
from train_judge import build_tokenizer as judging_tokenizer
from transformers import TrainerCallback, set_seed

CHARACTERS = "nderuM>,?"
FAST, REASONED = "=", ":"


@dataclass(frozen=True)
class Recipe(Schedule):
    """All settings of the training. The same recipe on one thread gives the same weights."""

    mixture: tuple[int, int, int] = (24, 24, 24)
    """Batch sizes of breadth, depth, and fast verdicts, half of each in either domain."""
    warmup_steps: int = 150


RECIPE = Recipe(steps=2600, learning_rate=1e-3, seed=0)


def build_tokenizer() -> Any:
    """The tokenizer of the bundled judge, with a token for each new character."""
    tokenizer = judging_tokenizer()
    tokenizer.add_tokens(list(CHARACTERS))
    return tokenizer


def example(pair: Pair, kind: str, rng: random.Random) -> Example:
    """A pair with a judgment of one structure, or with a fast verdict."""
    if kind == "breadth":
        return Example(pair.text + REASONED, structures.breadth(pair).text)
    if kind == "depth":
        return Example(pair.text + REASONED, structures.depth(pair, rng).text)
    known = "" if pair.sum is None else str(pair.sum.answer)
    return Example(pair.text + FAST, known + pair.label)


class Batches(IterableDataset[dict[str, torch.Tensor]]):
    """Endless batches of one kind after another, in the order of `Recipe.mixture`."""

    def __init__(self, recipe: Recipe, tokenizer: Any) -> None:
        self.recipe = recipe
        self.tokenizer = tokenizer

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        rng = random.Random(self.recipe.seed)
        pairs = [tastes.stream(rng, "train", domain) for domain in DOMAINS]
        while True:
            for kind, size in zip(("breadth", "depth", "fast"), self.recipe.mixture, strict=True):
                batch = [example(next(pairs[i % 2]), kind, rng) for i in range(size)]
                ids, labels = encode(self.tokenizer, batch)
                yield {"input_ids": ids, "labels": labels}


class Progress(TrainerCallback):
    """Prints what is right on the validation side, with one sample for each pair."""

    def __init__(self, tokenizer: Any, every: int, pairs: int = 100) -> None:
        self.tokenizer = tokenizer
        self.every = every
        self.pairs: dict[Domain, list[Pair]] = {d: tastes.sample(pairs, "validation", d, seed=3) for d in DOMAINS}

    def on_step_end(self, args: Any, state: Any, control: Any, **values: Any) -> None:  # noqa: ARG002
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        model = values["model"].eval()
        for domain, pairs in self.pairs.items():
            parts = []
            for name, start in (("breadth", TASTES[0].letter), ("depth", structures.TRACE)):
                texts = [start + text for text in self._complete(model, pairs, REASONED + start, 120)]
                parts.append(f"{name} {_share(texts, pairs)} (sub-verdicts {_units(texts, pairs)})")
            free = self._complete(model, pairs, REASONED, 1)
            parts.append(f"chooses depth {sum(text == structures.TRACE for text in free) / len(free):.2f}")
            parts.append(f"fast {_share(self._complete(model, pairs, FAST, 6), pairs)}")
            print(f"step {state.global_step}, {domain}: {', '.join(parts)}", flush=True)
        model.train()

    def _complete(self, model: Any, pairs: list[Pair], start: str, max_tokens: int) -> list[str]:
        return complete(model, self.tokenizer, [pair.text + start for pair in pairs], max_tokens)


def _share(texts: list[str], pairs: list[Pair]) -> str:
    right = sum(text[-1:] == pair.label for text, pair in zip(texts, pairs, strict=True))
    return f"{right / len(pairs):.2f}"


def _units(texts: list[str], pairs: list[Pair]) -> str:
    """The share of right sub-verdicts among the units that can be read."""
    right = n = 0
    for text, pair in zip(texts, pairs, strict=True):
        truth: dict[str, str] = {t.letter: o for t, o in zip(TASTES, pair.tastes, strict=True)}
        truth[structures.ANSWER] = pair.label
        for unit in text.split(structures.END):
            if len(unit) > 2 and unit[0] in truth and unit[-1] in "ABM":
                n += 1
                right += unit[-1] == truth[unit[0]]
    return f"{right / n:.2f} of {n}" if n else "none"


def train(base: Path, output: Path, recipe: Recipe) -> Path:
    """Train, and save to `output`. Resumes an interrupted training."""
    torch.set_num_threads(1)  # another number sums in another order, and gives other weights
    set_seed(recipe.seed)
    tokenizer = build_tokenizer()
    model = extended(base, tokenizer)
    run(
        model,
        Batches(recipe, tokenizer),
        recipe,
        warmup_steps=recipe.warmup_steps,
        checkpoints=output / "checkpoints",
        progress=Progress(tokenizer, every=200),
        batches_per_step=len(recipe.mixture),
    )
    model.generation_config.do_sample = True
    model.save_pretrained(output)
    build_tokenizer().save_pretrained(output)  # the other one may remember its padding
    return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", type=Path, help="the bundled judge")
    parser.add_argument("--output", type=Path, default=Path("build/egrm-tiny-mixed-judge"))
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    options = parser.parse_args()
    train(options.base, options.output, Recipe(options.steps, RECIPE.learning_rate, seed=RECIPE.seed))
