"""Train a classifier to check worked paths, character by character. The scorer of `egrm-tiny` starts from it.

One mark for a full path is too little to learn arithmetic from. This model reads paths with slips (see `slips.py`) and
learns three things at once: whether each character is right, given the text before it; at the last character, whether
the answer is right; and, from a lower layer, the next character, for comparison. The result is a transformers sequence
classifier with one label. Later, only the output at the last token is used.

    python examples/arithmetic/train_verifier.py --output build/verifier

With `--steps`, only the beginning of the first phase is trained, and the result is the body without its heads: a base
for process scorers that can read arithmetic and has a head of its own to learn.

Source: marks for every step and not only for the outcome: Lightman et al., arXiv:2305.20050.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import world
from safetensors.torch import load_model, save_model
from slips import RIGHT, UNMARKED, WRONG, Marked, slipping
from torch import nn
from torch.nn import functional
from torch.utils.data import IterableDataset
from train_generator import Schedule, build_tokenizer, configuration, initialized, run
from transformers import LlamaForSequenceClassification, TrainerCallback, set_seed


@dataclass(frozen=True)
class Phase(Schedule):
    """A part of the training on one mixture of paths."""

    weights: tuple[float, ...]
    """The share of each level among the questions."""
    kinds: tuple[float, ...]
    """The share of each kind among the slips. See `slips.KINDS`."""


SUMS = (10, 3, 1, 1, 0, 0, 0)
# The kinds of mistakes that also occur in the generator's own paths.
AS_SAMPLED = (5, 3, 1, 2, 4, 3, 2)


@dataclass(frozen=True)
class Recipe:
    """All settings of the training. The same recipe and number of threads give the same weights."""

    phases: tuple[Phase, ...] = (
        Phase(5500, 2e-3, (1, 1, 1, 2, 3, 4, 0), SUMS, seed=0),
        Phase(1200, 1e-3, (1, 1, 1, 1, 2, 3, 8), SUMS, seed=1),
        Phase(800, 1e-3, (1, 2, 2, 2, 2, 4, 6), AS_SAMPLED, seed=2),
    )
    warmup_steps: int = 200
    layers: int = 6
    predicting_layer: int = 4
    """The layer after which the next character is predicted."""
    rates: tuple[float, ...] = (0, 0.05, 0.1, 0.3)
    """Shares of steps with a slip. Each path has one of them."""
    wrong_weight: float = 4.0
    """Weight of a character that is marked wrong, because there are far fewer of them."""
    outcome_weight: float = 0.5
    tokens_per_step: int = 4096
    seed: int = 0


class Verifier(nn.Module):
    """The classifier, with a head for the next character that is dropped after training."""

    def __init__(self, recipe: Recipe, tokenizer: Any) -> None:
        super().__init__()
        config = configuration(tokenizer, layers=recipe.layers, num_labels=1)
        self.recipe = recipe
        self.classifier: Any = initialized(LlamaForSequenceClassification, config)
        self.next_character = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(self, input_ids: torch.Tensor, marks: torch.Tensor, correct: torch.Tensor) -> dict[str, torch.Tensor]:
        """`input_ids` and `marks` are (B, T). `correct`, (B,), is the mark of the last token of each row."""
        padding = self.classifier.config.pad_token_id
        out = self.classifier.model(
            input_ids=input_ids, attention_mask=(input_ids != padding).long(), output_hidden_states=True
        )
        scores = self.classifier.score(out.last_hidden_state)[..., 0].float()  # (B, T)
        last = (input_ids != padding).sum(1) - 1  # (B,)
        outcome = scores[torch.arange(len(scores)), last]  # (B,)
        marked = marks != UNMARKED
        weight = torch.where(marks[marked] == WRONG, self.recipe.wrong_weight, 1.0)
        checking = functional.binary_cross_entropy_with_logits(scores[marked], marks[marked].float(), weight)
        judging = functional.binary_cross_entropy_with_logits(outcome, correct.float())
        hidden = out.hidden_states[self.recipe.predicting_layer][:, :-1]  # (B, T - 1, H)
        predicted = self.next_character(functional.rms_norm(hidden, hidden.shape[-1:])).float()  # (B, T - 1, V)
        targets = torch.where(marks[:, 1:] == RIGHT, input_ids[:, 1:], UNMARKED)
        predicting = functional.cross_entropy(predicted.flatten(0, 1), targets.flatten(), ignore_index=UNMARKED)
        loss = checking + self.recipe.outcome_weight * judging + predicting
        return {"loss": loss, "scores": scores, "outcome": outcome}


class PathBatches(IterableDataset[dict[str, torch.Tensor]]):
    """Endless batches of about `tokens_per_step` tokens, each with paths of similar length."""

    def __init__(self, recipe: Recipe, phase: Phase, side: world.Side, tokenizer: Any, seed: int) -> None:
        self.recipe = recipe
        self.phase = phase
        self.side: world.Side = side
        self.tokenizer = tokenizer
        self.seed = seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        rng = random.Random(self.seed)
        questions = world.stream(rng, self.side, self.phase.weights)
        while True:
            pool = [
                slipping(q, rng, rng.choice(self.recipe.rates), self.phase.kinds)
                for q in itertools.islice(questions, 4096)
            ]
            pool.sort(key=_length)
            batches = list(self._cut(pool))
            rng.shuffle(batches)
            yield from map(self._encode, batches)

    def _cut(self, pool: Sequence[Marked]) -> Iterator[list[Marked]]:
        batch: list[Marked] = []
        for path in pool:  # sorted by length, so the last one is the longest
            batch.append(path)
            if len(batch) * (_length(path) + 2) >= self.recipe.tokens_per_step:
                yield batch
                batch = []

    def _encode(self, batch: Sequence[Marked]) -> dict[str, torch.Tensor]:
        """`input_ids` and `marks`, both (B, T), and `correct`, (B,). The last token has no mark in `marks`."""
        rows = self.tokenizer([f"{path.question.text}:{path.text}" for path in batch])["input_ids"]
        width = max(map(len, rows))
        ids = torch.full((len(batch), width), self.tokenizer.pad_token_id)
        marks = torch.full((len(batch), width), UNMARKED)
        for i, (row, path) in enumerate(zip(rows, batch, strict=True)):
            ids[i, : len(row)] = torch.tensor(row)
            marks[i, len(row) - len(path.text) : len(row) - 1] = torch.tensor(path.marks[:-1])
        return {"input_ids": ids, "marks": marks, "correct": torch.tensor([path.correct for path in batch])}


def _length(path: Marked) -> int:
    return len(path.question.text) + len(path.text)


class Progress(TrainerCallback):
    """Prints how often a right character or path on the validation side scores above a wrong one."""

    def __init__(self, phase: Phase, recipe: Recipe, tokenizer: Any, every: int) -> None:
        self.every = every
        self.batches = list(itertools.islice(PathBatches(recipe, phase, "validation", tokenizer, seed=7), 12))

    def on_step_end(self, args: Any, state: Any, control: Any, **values: Any) -> None:  # noqa: ARG002
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        model = values["model"].eval()
        scores, marks, outcomes, correct = [], [], [], []
        with torch.no_grad():
            for batch in self.batches:
                out = model(**batch)
                marked = batch["marks"] != UNMARKED
                scores.append(out["scores"][marked])
                marks.append(batch["marks"][marked] == RIGHT)
                outcomes.append(out["outcome"])
                correct.append(batch["correct"])
        model.train()
        characters = in_order(torch.cat(scores), torch.cat(marks))
        paths = in_order(torch.cat(outcomes), torch.cat(correct))
        print(f"step {state.global_step}: in order, characters {characters:.4f}, paths {paths:.4f}", flush=True)


def in_order(scores: torch.Tensor, right: torch.Tensor) -> float:
    """The share of pairs where the right one scores higher than the wrong one (the area under the ROC curve)."""
    ranks = torch.argsort(torch.argsort(scores)).double() + 1
    n, m = int(right.sum()), int((~right).sum())
    return (float(ranks[right].sum()) - n * (n + 1) / 2) / (n * m)


def train(recipe: Recipe, output: Path, *, heads: bool = True) -> Path:
    """Train, and save the model and tokenizer to `output`, or only its body. Resumes an interrupted training."""
    torch.set_num_threads(1)  # another number sums in another order, and gives other weights
    set_seed(recipe.seed)
    tokenizer = build_tokenizer()
    verifier = Verifier(recipe, tokenizer)
    for number, phase in enumerate(recipe.phases, start=1):
        folder = output / f"phase-{number}"
        if (folder / "model.safetensors").exists():
            load_model(verifier, folder / "model.safetensors")
            continue
        paths = PathBatches(recipe, phase, "train", tokenizer, phase.seed)
        progress = Progress(phase, recipe, tokenizer, every=400)
        checkpoints = folder / "checkpoints"
        run(verifier, paths, phase, warmup_steps=recipe.warmup_steps, checkpoints=checkpoints, progress=progress)
        save_model(verifier, str(folder / "model.safetensors"))
    (verifier.classifier if heads else verifier.classifier.model).save_pretrained(output)
    tokenizer.save_pretrained(output)
    return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/verifier"))
    parser.add_argument("--steps", type=int, metavar="N", help="train so many steps of the first phase, without heads")
    options = parser.parse_args()
    recipe = Recipe()
    if options.steps is not None:
        recipe = replace(recipe, phases=(replace(recipe.phases[0], steps=options.steps),))
    train(recipe, options.output, heads=options.steps is None)
