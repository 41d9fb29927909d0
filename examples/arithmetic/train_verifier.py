"""Teach the generator's weights to check, before they learn to score: at every token, is the path right so far?

A scorer that is only told whether a whole path is right, at its last token, does not find out from a few thousand
paths what to look at (tried: the order of its scores stays at chance). Told at every token, it learns to check step
by step, and its last token then speaks for the whole path. The paths are worked ones, right or with a planted error,
and every one is new. `egrm train scorer` goes on from here on sampled paths, with the hybrid objective.

    python examples/arithmetic/train_verifier.py --base build/egrm-tiny --output build/verifier
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
from planted import spoiled
from torch.utils.data import IterableDataset
from transformers import (
    AutoTokenizer,
    LlamaForSequenceClassification,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

IGNORED = -1.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out."""

    steps: int = 1500
    tokens_per_step: int = 4096
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    right_share: float = 0.35
    weights: tuple[float, ...] = (1, 1, 2, 2, 4)
    """Each level's share of the paths."""
    seed: int = 2


class Examples(IterableDataset[dict[str, torch.Tensor]]):
    """Endless ready-made batches of paths of like length, with a label at each token of the path."""

    def __init__(self, recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> None:
        self.recipe = recipe
        self.tokenizer = tokenizer

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        rng = random.Random(self.recipe.seed)
        paths = _paths(self.recipe, rng)
        while True:
            pool = sorted(itertools.islice(paths, 8192), key=lambda path: len(path[0]) + len(path[1]))
            size = self.recipe.tokens_per_step // (len(pool[-1][0]) + len(pool[-1][1]) + 1)
            batches = [pool[i : i + size] for i in range(0, len(pool), size)]
            rng.shuffle(batches)
            for batch in batches:
                yield self._encode(batch)

    def _encode(self, batch: Sequence[tuple[str, str, int]]) -> dict[str, torch.Tensor]:
        """`input_ids` and `labels`, both (B, T); labels are 1 while the path is right, 0 from its error on."""
        heads = [len(self.tokenizer(head)["input_ids"]) for head, _, _ in batch]
        encoded = self.tokenizer([head + path for head, path, _ in batch], padding=True, return_tensors="pt")
        labels = torch.full(encoded["input_ids"].shape, IGNORED)  # (B, T)
        for row, (start, (_, path, n_right)) in enumerate(zip(heads, batch, strict=True)):
            labels[row, start : start + len(path)] = 0.0
            labels[row, start : start + n_right] = 1.0
        return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"], "labels": labels}


def _paths(recipe: Recipe, rng: random.Random) -> Iterator[tuple[str, str, int]]:
    """The prompt, a path, and how many of the path's characters are right."""
    for question in world.stream(rng, "train", recipe.weights):
        right = world.worked(question)
        path = right if rng.random() < recipe.right_share else spoiled(question, rng)
        pairs = enumerate(itertools.zip_longest(right, path))
        yield f"{question.text}:", path, next((i for i, (a, b) in pairs if a != b), len(path))


class VerifierTrainer(Trainer):
    """Scores every token, where a sequence classifier scores the last one."""

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
        labels = inputs["labels"]  # (B, T)
        hidden = model.model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
        logits = model.score(hidden)[..., 0]  # (B, T)
        told = labels != IGNORED
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[told], labels[told])
        return (loss, {"logits": logits}) if return_outputs else loss


class Progress(TrainerCallback):
    """Prints, every so often, the share of whole paths that are told right from wrong by their last token."""

    def __init__(self, recipe: Recipe, tokenizer: PreTrainedTokenizerBase, every: int) -> None:
        self.every = every
        fresh = Examples(Recipe(seed=recipe.seed + 1), tokenizer)
        self.batches = list(itertools.islice(fresh, 8))

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        model, right = given["model"].eval(), []
        with torch.inference_mode():
            for batch in self.batches:
                logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, 0]
                last = batch["attention_mask"].sum(dim=1) - 1
                labels = batch["labels"].gather(1, last[:, None])[:, 0]
                right += ((logits > 0) == (labels > 0.5)).tolist()
        model.train()
        print(f"step {state.global_step}: {sum(right) / len(right):.3f} of fresh paths told apart", flush=True)


def train(recipe: Recipe, base: Path, output: Path) -> Path:
    """Trains from the generator in `base` and saves a sequence classifier with its tokenizer to `output`."""
    torch.set_num_threads(2)
    set_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = LlamaForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
    trainer = VerifierTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(output / "checkpoints"),
            max_steps=recipe.steps,
            per_device_train_batch_size=1,  # the data set yields whole batches
            learning_rate=recipe.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=recipe.warmup_steps,
            weight_decay=0.01,
            adam_beta2=0.98,
            logging_steps=50,
            save_steps=500,
            save_total_limit=1,
            seed=recipe.seed,
            use_cpu=True,
            report_to=[],
        ),
        train_dataset=Examples(recipe, tokenizer),
        data_collator=lambda batches: batches[0],
        callbacks=[Progress(recipe, tokenizer, every=100)],
    )
    trainer.train(resume_from_checkpoint=any((output / "checkpoints").glob("checkpoint-*")))
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", type=Path, default=Path("build/egrm-tiny"))
    parser.add_argument("--output", type=Path, default=Path("build/verifier"))
    options = parser.parse_args()
    train(Recipe(), options.base, options.output)
