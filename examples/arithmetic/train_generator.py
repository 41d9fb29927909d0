"""Train `egrm-tiny`, a four-layer Llama over characters, to answer sums directly and by reasoning.

One model learns both kinds of answers from one stream of questions: `17+48-9=56` (a fast answer) and
`17+48-9:17+40=57;...;#56` (a path). The loss covers the text after `=` or `:`. Every example is new, so the model
cannot memorize any, and the spread of its sampled answers reflects its uncertainty.

    python examples/arithmetic/train_generator.py --output build/egrm-tiny

Source: the mixture of short and long samples is stage 1 of E-GRM, arXiv:2604.10072.
Differs: the two kinds are mixed at a fixed share, and not divided by the uncertainty of a first model.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import world
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from torch import nn
from torch.utils.data import IterableDataset
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

CHARACTERS = "0123456789+-=:;#"
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
# On a CPU in bfloat16, plain attention is 1.5 times as fast as fused attention for texts this short.
ATTENTION = "eager"
IGNORED = -100  # the label that the loss ignores


@dataclass(frozen=True)
class Schedule:
    """A part of the training with one cosine schedule."""

    steps: int
    learning_rate: float
    seed: int = field(kw_only=True)


@dataclass(frozen=True)
class Phase(Schedule):
    """A part of the training on one mixture of examples."""

    fast_share: float
    """The share of direct answers among the examples."""
    fast_weights: tuple[float, ...]
    """Weights of the levels of direct answers, highest for levels that can still be learned."""
    path_weights: tuple[float, ...]
    """Weights of the levels of reasoned answers."""


LEARN_TO_ADD = Phase(9000, 2e-3, 0.85, (2, 1, 2, 4, 4, 1, 0), (1, 1, 1, 2, 3, 4, 0), seed=0)
# The longest questions come last, and only briefly. A scorer needs paths that are sometimes wrong.
LENGTHEN = Phase(1200, 1e-3, 0.6, (2, 1, 2, 2, 3, 3, 2), (1, 1, 1, 1, 2, 3, 8), seed=1)
# This restores the direct answers after the second phase, and trains more on levels where they are uncertain.
FIRM_UP_FAST = Phase(2000, 1e-3, 0.93, (1, 2, 1, 1, 2, 8, 1), (1, 1, 1, 1, 1, 2, 6), seed=2)


@dataclass(frozen=True)
class Recipe:
    """All settings of the training. The same recipe and number of threads give the same weights."""

    phases: tuple[Phase, ...] = (LEARN_TO_ADD, LENGTHEN, FIRM_UP_FAST)
    layers: int = 4
    tokens_per_step: int = 4096
    warmup_steps: int = 300
    seed: int = 0


def build_tokenizer() -> Any:
    """A tokenizer with one token per character. Its chat template is the plain text of the messages."""
    vocabulary = {token: i for i, token in enumerate((*SPECIAL, *CHARACTERS))}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    core.decoder = decoders.Fuse()
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.chat_template = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return tokenizer


class Examples(IterableDataset[dict[str, torch.Tensor]]):
    """Endless batches of about `tokens_per_step` tokens, each with examples of similar length."""

    def __init__(self, phase: Phase, tokens_per_step: int, tokenizer: Any) -> None:
        self.phase = phase
        self.tokens_per_step = tokens_per_step
        self.tokenizer = tokenizer

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        rng = random.Random(self.phase.seed)
        texts = _texts(self.phase, rng)
        while True:
            pool = sorted(itertools.islice(texts, 8192), key=lambda text: len(text[0]) + len(text[1]))
            batches = list(_cut(pool, self.tokens_per_step))
            rng.shuffle(batches)
            for batch in batches:
                yield self._encode(batch)

    def _encode(self, batch: Sequence[tuple[str, str]]) -> dict[str, torch.Tensor]:
        """`input_ids` and `labels`, both (B, T). The labels cover the completion and its end token."""
        prompts = self.tokenizer([prompt for prompt, _ in batch])["input_ids"]
        texts = self.tokenizer([prompt + completion for prompt, completion in batch])["input_ids"]
        width = max(map(len, texts)) + 1
        ids = torch.full((len(batch), width), self.tokenizer.pad_token_id)  # (B, T)
        labels = torch.full((len(batch), width), IGNORED)  # (B, T)
        for row, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
            tokens = torch.tensor([*text, self.tokenizer.eos_token_id])
            ids[row, : len(tokens)] = tokens
            labels[row, len(prompt) : len(tokens)] = tokens[len(prompt) :]
        return {"input_ids": ids, "labels": labels}


def _texts(phase: Phase, rng: random.Random) -> Iterator[tuple[str, str]]:
    fast = world.stream(rng, "train", phase.fast_weights)
    paths = world.stream(rng, "train", phase.path_weights)
    while True:
        if rng.random() < phase.fast_share:
            question = next(fast)
            yield f"{question.text}=", str(question.answer)
        else:
            question = next(paths)
            yield f"{question.text}:", world.worked(question)


def _cut(pool: Sequence[tuple[str, str]], tokens: int) -> Iterator[list[tuple[str, str]]]:
    batch: list[tuple[str, str]] = []
    for text in pool:  # sorted by length, so the last one is the longest
        batch.append(text)
        if len(batch) * (len(text[0]) + len(text[1]) + 2) >= tokens:
            yield batch
            batch = []
    if batch:
        yield batch


class Progress(TrainerCallback):
    """Prints the share of right answers on the validation side at regular steps, by level."""

    def __init__(self, tokenizer: Any, every: int) -> None:
        self.tokenizer = tokenizer
        self.every = every
        self.questions = world.sample(500, "validation", seed=1)

    def on_step_end(self, args: Any, state: Any, control: Any, **values: Any) -> None:  # noqa: ARG002
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        model = values["model"]
        model.eval()
        for mode, mark, max_tokens in (("direct", "=", 8), ("reasoned", ":", 130)):
            answers = complete(model, self.tokenizer, [q.text + mark for q in self.questions], max_tokens)
            shares = []
            for level in range(1, len(world.LEVELS) + 1):
                right = [
                    text.rpartition("#")[2] == str(q.answer)
                    for q, text in zip(self.questions, answers, strict=True)
                    if q.level == level
                ]
                shares.append(f"{sum(right) / len(right):.2f}")
            print(f"step {state.global_step}: {mode} right by level, one sample each: {' '.join(shares)}", flush=True)
        model.train()


def complete(model: Any, tokenizer: Any, prompts: list[str], max_tokens: int) -> list[str]:
    """Sample a completion of each prompt, with temperature 1."""
    encoded = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
    with torch.no_grad():
        out = model.generate(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            max_new_tokens=max_tokens,
            do_sample=True,
            top_k=0,
            pad_token_id=tokenizer.pad_token_id,
        )
    completions = out[:, encoded["input_ids"].shape[1] :].tolist()
    return [str(tokenizer.decode(row, skip_special_tokens=True)) for row in completions]


def configuration(tokenizer: Any, *, layers: int, **more: Any) -> LlamaConfig:
    """The configuration of the small Llama. The generator and the scorer differ only in the number of layers."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=layers,
        num_attention_heads=6,
        max_position_embeddings=256,
        initializer_range=0.05,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **more,
    )


def initialized(kind: Any, config: LlamaConfig) -> Any:
    """A new model whose embeddings have the scale of its layers' outputs.

    With the usual scale, one fiftieth of that, the first layer overwhelms them. Then sums are learned later, and
    checking characters is hardly learned at all.
    """
    model = kind._from_config(config, attn_implementation=ATTENTION)
    nn.init.normal_(model.model.embed_tokens.weight)
    return model


def train(recipe: Recipe, output: Path) -> Path:
    """Train, and save the model and tokenizer to `output`. Resumes an interrupted training."""
    torch.set_num_threads(1)  # another number sums in another order, and gives other weights
    set_seed(recipe.seed)
    tokenizer = build_tokenizer()
    model = initialized(LlamaForCausalLM, configuration(tokenizer, layers=recipe.layers))
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    for number, phase in enumerate(recipe.phases, start=1):
        folder = output / f"phase-{number}"
        if (folder / "model.safetensors").exists():
            model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=ATTENTION)
            continue
        examples = Examples(phase, recipe.tokens_per_step, tokenizer)
        checkpoints, progress = folder / "checkpoints", Progress(tokenizer, every=500)
        run(model, examples, phase, warmup_steps=recipe.warmup_steps, checkpoints=checkpoints, progress=progress)
        model.save_pretrained(folder)
    model.generation_config.do_sample = True
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return output


def run(
    model: nn.Module,
    batches: IterableDataset[dict[str, torch.Tensor]],
    schedule: Schedule,
    *,
    warmup_steps: int,
    checkpoints: Path,
    progress: TrainerCallback,
    batches_per_step: int = 1,
) -> None:
    """Train with one schedule, from the last checkpoint if the training was interrupted.

    The loss of a step is the mean over the tokens of all its batches.
    """
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(checkpoints),
            max_steps=schedule.steps,
            per_device_train_batch_size=1,  # the data set yields batches
            gradient_accumulation_steps=batches_per_step,
            learning_rate=schedule.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=warmup_steps,
            weight_decay=0.01,
            adam_beta2=0.98,
            max_grad_norm=1.0,
            logging_steps=100,
            save_steps=500,
            save_total_limit=1,
            seed=schedule.seed,
            use_cpu=True,
            bf16=True,
            disable_tqdm=True,
            remove_unused_columns=False,
            report_to=[],
        ),
        train_dataset=batches,
        data_collator=lambda batches: batches[0],
        callbacks=[progress],
    )
    trainer.train(resume_from_checkpoint=any(checkpoints.glob("checkpoint-*")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/egrm-tiny"))
    train(Recipe(), parser.parse_args().output)
