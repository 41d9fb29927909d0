"""A language model of a few thousand weights with the tokenizer of the bundled judge, and data that it can learn."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from egrm_graph.fine_tuning.judge_settings import JudgeTraining
from egrm_graph.fine_tuning.judged_pairs import JudgedPair
from egrm_graph.runtime.bundled_models import bundled

BUNDLED = bundled("egrm-tiny-judge")


def save_judge(folder: Path, **changes: Any) -> Path:
    """A judge with random weights."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **{**sizes, **changes})
    config.bos_token_id, config.eos_token_id, config.pad_token_id = 1, 2, 0
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def pair(seed: int = 0, **changes: Any) -> JudgedPair:
    """Which of two answers to a sum is right."""
    rng = random.Random(seed)
    one, other = rng.randint(1, 9), rng.randint(1, 9)
    right, wrong = one + other, one + other + rng.choice((-1, 1))
    candidates = (f"#{right}", f"#{wrong}") if seed % 2 else (f"#{wrong}", f"#{right}")
    values = {"question": f"{one}+{other}", "candidates": candidates, "reference": "A" if seed % 2 else "B"}
    return JudgedPair(**{**values, "id": seed, **changes})


def save_rows(file: Path, rows: Iterable[Any]) -> Path:
    lines = (row.model_dump(mode="json", exclude_none=True) if isinstance(row, JudgedPair) else row for row in rows)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def judgments(n: int = 40) -> list[dict[str, Any]]:
    """Rows that a judge learns from."""
    pairs = [pair(seed) for seed in range(n)]
    return [
        {
            "prompt": f"{each.candidates[0]}A|{each.candidates[1]}B|{each.question}:",
            "completion": f"#{sum(map(int, each.question.split('+')))}{each.reference}",
            "id": each.id,
        }
        for each in pairs
    ]


def settings(data: Path, base: Path, output: Path, **changes: Any) -> JudgeTraining:
    quick: dict[str, Any] = {"steps": 4, "batch_size": 8, "rows_at_once": 4, "learning_rate": 1e-2, "evaluations": 2}
    common: dict[str, Any] = {"rollout_tokens": 24, "judged_as": "egrm-tiny-judge"}
    own = {"reinforce": True, "group_size": 4} if changes.get("reinforce") else {"held_out_share": 0.2}
    return JudgeTraining(data=data, base=str(base), output=output, **{**quick, **common, **own, **changes})
