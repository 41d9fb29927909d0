"""Models of a few thousand weights over characters, and rollouts that they can learn."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from egrm_graph.training.rollout_file import Rollout, RolloutPath, RolloutStep, write_rollouts
from egrm_graph.training.trainer_callbacks import SilentObserver
from egrm_graph.training.training_settings import ProcessTraining, ScorerTraining

TOKENS = ("<pad>", "<s>", "</s>", "<unk>", *"0123456789+-=:;#")
SIZES: dict[str, Any] = {
    "vocab_size": len(TOKENS),
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
}


def save_tokenizer(folder: Path) -> None:
    core = Tokenizer(models.WordLevel({token: i for i, token in enumerate(TOKENS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=core, **special).save_pretrained(folder)


def save_base(folder: Path, **changes: Any) -> Path:
    """A decoder with its tokenizer."""
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(tie_word_embeddings=True, **{**SIZES, **changes})).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def rollout(question: str, rng: random.Random, *more: str, noise: float = 0) -> Rollout:
    """Four paths and `more` wrong ones. Those that end in 7 are right, except for a share with false marks."""
    answers = [rng.choice("777123") for _ in range(4)]
    marks = [(answer == "7") != (rng.random() < noise) for answer in answers]
    paths = [
        RolloutPath(text=f"#{answer}", answer=answer, correct=mark) for answer, mark in zip(answers, marks, strict=True)
    ]
    extra = [RolloutPath(text=text, answer=None, correct=False) for text in more]
    return Rollout(id=question, question=question, reference="7", paths=(*paths, *extra))


def save_rollouts(file: Path, questions: int = 40, noise: float = 0) -> Path:
    rng = random.Random(0)
    write_rollouts(file, [rollout(f"{n}+1", rng, noise=noise) for n in range(questions)])
    return file


def settings(rollouts: Path, base: Path, output: Path, **changes: Any) -> ScorerTraining:
    quick = {"epochs": 2, "batch_questions": 8, "learning_rate": 1e-2, "evaluations": 2, "held_out_share": 0.3}
    values = {"input": "{question}:{path}", **quick, **changes}
    return ScorerTraining(rollouts=rollouts, base=str(base), output=output, **values)


class Messages(SilentObserver):
    """Collects the messages of a training."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def noted(self, message: str) -> None:
        self.messages.append(message)


class Interrupting(SilentObserver):
    """Interrupts a training at a step, or at its first message."""

    def __init__(self, at_step: int | None = None) -> None:
        self.at_step = at_step

    def stepped(self, step: int) -> None:
        if step == self.at_step:
            raise KeyboardInterrupt

    def noted(self, message: str) -> None:
        if self.at_step is None:
            raise KeyboardInterrupt


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def stepped(rng: random.Random) -> RolloutPath:
    """A path of three steps and an answer. A step is right if it is a 7."""
    digits = rng.choices("777123", k=4)
    text = ";".join(digits[:3]) + f";#{digits[3]}"
    steps = zip((2, 4, 6, 8), digits, strict=True)
    labeled = tuple(RolloutStep(end=end, value=float(digit == "7")) for end, digit in steps)
    return RolloutPath(text=text, answer=digits[3], correct=set(digits) == {"7"}, steps=labeled)


def save_steps(file: Path, questions: int = 40) -> Path:
    rng = random.Random(0)
    paths = [tuple(stepped(rng) for _ in range(4)) for _ in range(questions)]
    write_rollouts(file, [Rollout(id=n, question=f"{n}+1", reference="7", paths=some) for n, some in enumerate(paths)])
    return file


def process_settings(rollouts: Path, base: Path, output: Path, **changes: Any) -> ProcessTraining:
    quick = {"epochs": 2, "batch_questions": 8, "learning_rate": 1e-2, "evaluations": 2, "held_out_share": 0.3}
    values = {"input": "{question}:{path}", "step_end": ";", **quick, **changes}
    return ProcessTraining(rollouts=rollouts, base=str(base), output=output, **values)
