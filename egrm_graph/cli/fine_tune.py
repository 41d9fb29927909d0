"""`egrm train judge`: train a language model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from egrm_graph.cli.setting_options import with_fields
from egrm_graph.cli.training_progress import with_progress
from egrm_graph.errors import SettingsError
from egrm_graph.fine_tuning.fine_tuning_settings import FineTuning
from egrm_graph.fine_tuning.judge_settings import JudgeTraining
from egrm_graph.scoring.checkpoint import MANIFEST
from egrm_graph.settings import explain

FineTuningKind = TypeVar("FineTuningKind", bound=FineTuning)

COMMON: Mapping[str, str] = {
    "data": "File of rows to learn from; with --reinforce, of judged pairs.",
    "base": "Language model to start from: a folder, or a name on the hub.",
    "output": "Folder for the trained model and its report.",
    "reinforce": "Train by whether the verdicts of the judge are right.",
    "pairs": "File of held-out judged pairs to measure verdicts on.",
    "learning_rate": "Peak learning rate.",
    "epochs": "Passes over the rows.",
    "steps": "Steps of the training.",
    "batch_size": "Rows in one step, or rollouts.",
    "rows_at_once": "Rows in one pass through the model.",
    "lora_rank": "Train a large base by LoRA of this rank.",
    "seed": "Seed of the order of the rows, and of the rollouts.",
    "kl": "Coefficient of the KL divergence from the base.",
    "rollout_tokens": "The most tokens of a judgment.",
    "shuffle_labels": "Control: permute the right verdicts.",
}
"""The settings that `--help` lists, each with a short text. `--help-all` lists all settings."""
PANELS = {
    "Training": ("learning_rate", "epochs", "steps", "batch_size", "rows_at_once", "max_tokens", "thinking", "seed"),
    "Reinforcement": (
        "reinforce",
        "group_size",
        "temperature",
        "rollout_tokens",
        "kl",
        "scale_rewards",
        "vllm",
        "vllm_url",
        "shuffle_labels",
    ),
    "Judging": ("task", "strategy", "prompts", "judged_as"),
    "Large models": ("lora_rank", "lora_alpha", "gradient_checkpointing", "precision"),
    "Measurement": ("held_out", "held_out_share", "evaluations", "pairs"),
}


def panel_of(field: str) -> str | None:
    return next((panel for panel, fields in PANELS.items() if field in fields), None)


def fine_tuning_of(kind: type[FineTuningKind], options: Mapping[str, Any]) -> FineTuningKind:
    """The training with these options.

    Raises:
        SettingsError: a value is out of range, or options conflict.
    """
    try:
        return kind(**options)
    except ValidationError as error:
        raise SettingsError(explain(error)) from error


@with_fields(
    JudgeTraining,
    "config",
    partial(fine_tuning_of, JudgeTraining),
    positional=("data",),
    metavars={"data": "DATA", "base": "FOLDER|NAME"},
    panel=panel_of,
    common=COMMON,
    default_texts={"learning_rate": "2e-5, or 1e-6 with --reinforce", "steps": "as --epochs says, or 100"},
)
def judge(
    config: JudgeTraining,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training in --output.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over, and replace --output.")] = False,
) -> None:
    """Train a judge on judgments or, with --reinforce, by whether its own verdicts are right.

    The folder in --output is a language model for transformers and vLLM. It also holds report.json and report.html.

    \fDATA is JSON lines or Parquet. A row is {"prompt", "completion"}, each a text or a list of chat messages. With
    --reinforce it is a judged pair, {"question", "candidates", "reference"}, optionally with a "domain", preference or
    correctness. The judge sees each pair in both orders, with the prompts of the graph. The right verdict has the
    reward 1, every other one -1, unreadable ones included.

    --resume continues a training that was interrupted or killed. On a CPU, it gives the same judge.
    """
    from egrm_graph.fine_tuning.train_judge import train_judge

    run_training_command(config, partial(train_judge, config, resume=resume, overwrite=overwrite))


def run_training_command(config: FineTuning, train: Callable[..., Path]) -> None:
    """Train with a bar, and print the held-out figures."""
    folder = with_progress(config.output, train)
    held_out = json.loads((folder / MANIFEST).read_text("utf-8"))["held_out"]
    rounded = {when: {name: round(value, 6) for name, value in held_out[when].items()} for when in held_out}
    typer.echo(json.dumps({"model": str(folder), **rounded}))
