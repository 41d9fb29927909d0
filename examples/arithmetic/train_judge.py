"""Train `egrm-tiny-judge`: the bundled model learns verdicts on answers to its sums (`verdicts.py`).

    python examples/arithmetic/train_judge.py build/egrm-tiny --output build/egrm-tiny-judge

It starts from the weights of the answering model, with new rows for the letters and bars. First it only learns to find
a number among others. That happens suddenly after some hundred steps, or never if other examples are mixed in. Then
every step has a batch of each kind: drills, fast and reasoned verdicts, fast answers, and paths.

The answering model does not change. The judge pays for its verdicts with some accuracy on sums.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
import verdicts
import world
from train_generator import IGNORED, complete, configuration, initialized
from train_generator import build_tokenizer as answering_tokenizer
from transformers import LlamaForCausalLM, set_seed

JUDGING = "|_ABCDEFGH"
CONTEXT = 1024
FAST_LEVELS = (1, 2, 1, 1, 2, 6, 2)
PATH_LEVELS = (1, 1, 1, 1, 1, 2, 6)
WARM_UP_STEPS = 100


@dataclass(frozen=True)
class Recipe:
    """All settings of the training. The same recipe on one thread gives the same weights."""

    look_up_loss: float = 0.1
    """The drills end when their mean loss over about ten steps is below this, in nats."""
    max_look_up_steps: int = 3000
    judge_steps: int = 3200
    look_up_rate: float = 1e-3
    judge_rate: float = 8e-4
    drills: int = 64
    """Batch size of the drills at the start."""
    mixture: tuple[int, ...] = (12, 12, 8, 64, 6)
    """Batch sizes of drills, fast verdicts, reasoned verdicts, fast answers, and paths."""
    seed: int = 0


class Example(NamedTuple):
    """A prompt, its completion, and the places in the prompt that the model also learns to predict."""

    prompt: str
    completion: str
    places: Sequence[int] = ()


def build_tokenizer() -> Any:
    """The tokenizer of the answering model, with a token for each new character."""
    tokenizer = answering_tokenizer()
    tokenizer.add_tokens(list(JUDGING))
    return tokenizer


def examples(rng: random.Random) -> tuple[Callable[[], Example], ...]:
    """Functions that draw an example of each kind, in the order of `Recipe.mixture`."""
    fast = world.stream(rng, "train", FAST_LEVELS)
    paths = world.stream(rng, "train", PATH_LEVELS)

    def drill() -> Example:
        text, places = verdicts.drill(rng)
        return Example(text, "", places)

    def verdict(trigger: str, questions: Iterator[world.Question]) -> Example:
        item = verdicts.draw(next(questions), rng)
        return Example(item.text + trigger, item.completion(trigger))

    def answer() -> Example:
        question = next(fast)
        return Example(f"{question.text}=", str(question.answer))

    def path() -> Example:
        question = next(paths)
        return Example(f"{question.text}:", world.worked(question))

    return (
        drill,
        lambda: verdict(verdicts.FAST, fast),
        lambda: verdict(verdicts.REASONED, paths),
        answer,
        path,
    )


def encode(tokenizer: Any, batch: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels, both (B, T). The labels cover the completion, its end token, and the places in the prompt."""
    prompts = tokenizer([example.prompt for example in batch])["input_ids"]
    texts = tokenizer([example.prompt + example.completion for example in batch])["input_ids"]
    width = max(map(len, texts)) + 1
    ids = torch.full((len(batch), width), tokenizer.pad_token_id)  # (B, T)
    labels = torch.full((len(batch), width), IGNORED)  # (B, T)
    for row, (example, prompt, text) in enumerate(zip(batch, prompts, texts, strict=True)):
        tokens = torch.tensor([*text, tokenizer.eos_token_id])
        ids[row, : len(tokens)] = tokens
        if not example.places:
            labels[row, len(prompt) : len(tokens)] = tokens[len(prompt) :]
        for place in example.places:
            labels[row, place + 1] = tokens[place + 1]  # the start token comes first
    return ids, labels


def extended(base: Path, tokenizer: Any) -> Any:
    """The answering model, with new rows for the new characters and a longer context."""
    old = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32).state_dict()
    config = configuration(tokenizer, layers=4)
    config.max_position_embeddings = CONTEXT
    model = initialized(LlamaForCausalLM, config)
    rows = model.state_dict()
    for name, weights in old.items():
        rows[name][: len(weights)] = weights
    return model


class Learner:
    """A model that learns from batches of each kind of example."""

    def __init__(self, model: Any, tokenizer: Any, seed: int) -> None:
        self.model = model
        self._tokenizer = tokenizer
        self._draws = examples(random.Random(seed))
        self._optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)

    def step(self, learning_rate: float, sizes: Sequence[int]) -> float:
        """Take one step on a batch of each kind, and return their mean loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        total = 0.0
        for draw, size in zip(self._draws, sizes, strict=False):
            ids, labels = encode(self._tokenizer, [draw() for _ in range(size)])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = self.model(input_ids=ids, labels=labels).loss / len(sizes)
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return total


def train(base: Path, output: Path, recipe: Recipe) -> Path:
    """Train, and save to `output`."""
    torch.set_num_threads(1)  # another number sums in another order, and gives other weights
    set_seed(recipe.seed)
    tokenizer = build_tokenizer()
    learner = Learner(extended(base, tokenizer), tokenizer, recipe.seed)
    _look_up(recipe, learner)
    _judge(recipe, learner, Progress(tokenizer))
    learner.model.generation_config.do_sample = True
    learner.model.save_pretrained(output)
    build_tokenizer().save_pretrained(output)  # the other one may remember its padding
    return output


def _judge(recipe: Recipe, learner: Learner, progress: Progress) -> None:
    """Learn verdicts, with a learning rate that warms up and then decays to zero along a cosine."""
    for step in range(recipe.judge_steps):
        decay = 0.5 + 0.5 * math.cos(math.pi * step / recipe.judge_steps)
        rate = recipe.judge_rate * min(1.0, (step + 1) / WARM_UP_STEPS) * decay
        learner.step(rate, recipe.mixture)
        if (step + 1) % 100 == 0:
            progress.report(learner.model, step + 1)


def _look_up(recipe: Recipe, learner: Learner) -> None:
    """Drill until the model can look up numbers, at a constant rate, because the number of steps is not known."""
    mean = 1.0
    for step in range(recipe.max_look_up_steps):
        rate = recipe.look_up_rate * min(1.0, (step + 1) / WARM_UP_STEPS)
        mean = 0.9 * mean + 0.1 * learner.step(rate, (recipe.drills,))
        if (step + 1) % 50 == 0:
            print(f"drill step {step + 1}: loss {mean:.3f}", flush=True)
        if mean < recipe.look_up_loss:
            return
    sys.exit(
        f"the model cannot look up numbers after {recipe.max_look_up_steps} steps (loss {mean:.3f}); try another seed"
    )


class Progress:
    """Prints the share of right verdicts and answers on the validation side, with one sample each."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        rng = random.Random(1)
        self.items = [verdicts.draw(question, rng, 2) for question in world.sample(100, "validation", seed=2)]
        self.questions = world.sample(200, "validation", seed=1)

    def report(self, model: Any, step: int) -> None:
        model.eval()
        shares = []
        for name, trigger, max_tokens in (("fast", verdicts.FAST, 6), ("reasoned", verdicts.REASONED, 100)):
            texts = complete(model, self.tokenizer, [item.text + trigger for item in self.items], max_tokens)
            right = sum(text[-1:] == item.verdict for text, item in zip(texts, self.items, strict=True))
            sums = sum(
                text[:-1].rpartition("#")[2] == str(item.question.answer)
                for text, item in zip(texts, self.items, strict=True)
            )
            shares.append(f"{name} verdicts on pairs {right / 100:.2f} (their sums {sums / 100:.2f})")
        texts = complete(model, self.tokenizer, [question.text + "=" for question in self.questions], 6)
        right = sum(text == str(question.answer) for text, question in zip(texts, self.questions, strict=True))
        print(f"step {step}: {', '.join(shares)}, fast answers {right / 200:.2f}", flush=True)
        model.train()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", type=Path, help="the answering model")
    parser.add_argument("--output", type=Path, default=Path("build/egrm-tiny-judge"))
    options = parser.parse_args()
    train(options.base, options.output, Recipe())
