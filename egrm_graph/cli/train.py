"""`egrm train scorer` and `egrm train process-reward`: train a scorer on a file of rollouts."""

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
from egrm_graph.scoring.checkpoint import MANIFEST
from egrm_graph.settings import explain
from egrm_graph.training.train_process_reward import train_process_reward
from egrm_graph.training.train_scorer import train_scorer
from egrm_graph.training.training_settings import ProcessTraining, ScorerTraining, Training

Kind = TypeVar("Kind", bound=Training)

COMMON: Mapping[str, str] = {
    "rollouts": "File of rollouts, preference pairs, or graded responses.",
    "base": "Model to start from: a folder, or a name on the hub.",
    "output": "Folder for the scorer and its report.",
    "objective": "hybrid, regression, hinge, or bradley_terry.",
    "epochs": "Passes over the training questions.",
    "learning_rate": "Peak learning rate. Large models need about 1e-5.",
    "max_batch_tokens": "Tokens in one batch, at most.",
    "patience": "Stop after this many evaluations without progress.",
    "seed": "Seed of the new head and of the batches.",
    "lora_rank": "Train a large base by LoRA of this rank.",
    "held_out": "File to measure on, in the same forms.",
    "held_out_share": "Share of the questions to measure on, without --held-out.",
    "best_of": "Paths that the held-out figures choose among.",
}
"""The settings that `--help` lists, each with a short text. `--help-all` lists all settings."""
COMMON_OF_PROCESS: Mapping[str, str] = {
    **{name: text for name, text in COMMON.items() if name != "objective"},
    "rollouts": "File of paths with labeled steps.",
    "labels": "The label that is learned: value, share, or any.",
    "step_end": "Where steps end: lines, sentences, or a regular expression.",
    "aggregation": "Score of a path: product, minimum, mean, last, or merged.",
}


def training_of(options: Mapping[str, Any]) -> ScorerTraining:
    """The training with these options.

    Raises:
        SettingsError: a value is out of range, or options conflict.
    """
    return checked(ScorerTraining, options)


def process_training_of(options: Mapping[str, Any]) -> ProcessTraining:
    """The training of a process scorer with these options.

    Raises:
        SettingsError: a value is out of range, or options conflict.
    """
    return checked(ProcessTraining, options)


def checked(kind: type[Kind], options: Mapping[str, Any]) -> Kind:
    try:
        return kind(**options)
    except ValidationError as error:
        raise SettingsError(explain(error)) from error


PANELS = {
    "Labels": ("labels", "merge_steps", "best_by", "step_end", "aggregation"),
    "Objective": ("objective", "alpha", "delta", "margin"),
    "Training": ("epochs", "learning_rate", "batch_questions", "max_batch_tokens", "patience", "seed"),
    "Large models": ("lora_rank", "lora_alpha", "gradient_checkpointing", "precision"),
    "Measurement": ("held_out", "held_out_share", "evaluations", "best_of", "calibration"),
}


def panel_of(field: str) -> str | None:
    return next((panel for panel, fields in PANELS.items() if field in fields), None)


@with_fields(
    ScorerTraining,
    "config",
    training_of,
    positional=("rollouts",),
    metavars={"rollouts": "ROLLOUTS", "base": "FOLDER|NAME"},
    panel=panel_of,
    common=COMMON,
)
def scorer(
    config: ScorerTraining,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training in --output.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over, and replace --output.")] = False,
) -> None:
    """Train a scorer on rollouts (reasoning paths marked right or wrong), preference pairs, or graded responses.

    Use the folder in --output with --scorer. It also holds report.json and report.html.

    \fROLLOUTS is JSON lines or Parquet. A row is {"id", "question", "reference", "paths": [{"text", "answer",
    "correct"}, ...]} as `egrm rollouts` writes it, a pair {"prompt", "chosen", "rejected"}, or a graded {"prompt",
    "response", "score"}.

    --resume continues a training that was interrupted or killed, and gives the same scorer.
    """
    _train(config, partial(train_scorer, config, resume=resume, overwrite=overwrite))


@with_fields(
    ProcessTraining,
    "config",
    process_training_of,
    positional=("rollouts",),
    metavars={"rollouts": "ROLLOUTS", "base": "FOLDER|NAME"},
    panel=panel_of,
    common=COMMON_OF_PROCESS,
)
def process_reward(
    config: ProcessTraining,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training in --output.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over, and replace --output.")] = False,
) -> None:
    """Train a process scorer, which scores each step of a path, on paths with labeled steps.

    Use the folder in --output with --scorer. It also holds report.json and report.html.

    \fROLLOUTS is JSON lines (also gzipped) or Parquet. A row is {"id", "question", "reference", "paths": [{"text",
    "answer", "correct", "steps": [{"end", "value"}, ...]}, ...]}, a problem of PRM800K, a solution of ProcessBench
    {"problem", "steps", "label"}, or stepwise supervision {"prompt", "completions", "labels"}.

    --resume continues a training that was interrupted or killed, and gives the same scorer.
    """
    _train(config, partial(train_process_reward, config, resume=resume, overwrite=overwrite))


def _train(config: Training, train: Callable[..., Path]) -> None:
    """Train with a bar, and print the figures."""
    folder = with_progress(config.output, train)
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    held_out = {name: round(value, 6) if value else value for name, value in manifest["held_out"].items()}
    steps = {name: manifest[name] for name in ("steps", "aggregation") if manifest.get(name) is not None}
    typer.echo(json.dumps({"scorer": str(folder), **steps, **held_out, "calibration": manifest["calibration"]}))
