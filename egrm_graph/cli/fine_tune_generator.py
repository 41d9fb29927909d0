"""`egrm train generator`: train the model that answers, on its own texts or by what its paths earn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated

import typer

from egrm_graph.cli.fine_tune import PANELS as OF_ALL
from egrm_graph.cli.fine_tune import fine_tuning_of, run_training_command
from egrm_graph.cli.setting_options import with_fields
from egrm_graph.fine_tuning.generator_settings import GeneratorTraining

COMMON: Mapping[str, str] = {
    "data": "Mixture to learn from; with --reinforce, questions.",
    "base": "Language model to start from: a folder, or a name on the hub.",
    "output": "Folder for the trained model and its report.",
    "reinforce": "Train by what the paths of the generator earn.",
    "reward": "With --reinforce: answer, score, or pair.",
    "scorer": "Scorer folder, or none.",
    "questions": "File of held-out questions to measure on.",
    "learning_rate": "Peak learning rate.",
    "epochs": "Passes over the rows.",
    "steps": "Steps of the training.",
    "batch_size": "Rows in one step, or rollouts.",
    "rows_at_once": "Rows in one pass through the model.",
    "lora_rank": "Train a large base by LoRA of this rank.",
    "seed": "Seed of the order of the rows, and of the rollouts.",
    "kl": "Coefficient of the KL divergence from the base.",
    "rollout_tokens": "The most tokens of a path.",
}
"""The settings that `--help` lists, each with a short text. `--help-all` lists all settings."""
PANELS: Mapping[str, tuple[str, ...]] = {
    **{name: fields for name, fields in OF_ALL.items() if name != "Judging"},
    "Reinforcement": (*OF_ALL["Reinforcement"], "reward", "beta"),
    "Answering": ("task", "prompts", "scorer", "known_as"),
    "Measurement": ("held_out", "held_out_share", "evaluations", "questions", "samples"),
}


def panel_of(field: str) -> str | None:
    return next((panel for panel, fields in PANELS.items() if field in fields), None)


@with_fields(
    GeneratorTraining,
    "config",
    partial(fine_tuning_of, GeneratorTraining),
    positional=("data",),
    metavars={"data": "DATA", "base": "FOLDER|NAME", "scorer": "PATH|none"},
    panel=panel_of,
    common=COMMON,
    default_texts={"learning_rate": "2e-5, or 1e-6 with --reinforce", "steps": "as --epochs says, or 100"},
)
def generator(
    config: GeneratorTraining,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training in --output.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over, and replace --output.")] = False,
) -> None:
    """Train a generator on a mixture of short and long texts or, with --reinforce, by the scores and answers of its own
    paths.

    The folder in --output is a language model for transformers and vLLM. It also holds report.json and report.html.

    \fDATA is JSON lines or Parquet. A row is {"prompt", "completion"}, each a text or a list of chat messages, as `egrm
    mixture` writes it. With --reinforce it is {"question", "reference"}. The generator sees the prompts of the graph.

    The scorer is not trained. With --questions, the report compares its scores with the truth on the paths of the
    generator before, during, and after the training: if the score rises and accuracy does not, the generator exploits
    the scorer.

    --resume continues a training that was interrupted or killed. On a CPU, it gives the same generator.
    """
    from egrm_graph.fine_tuning.train_generator import train_generator

    run_training_command(config, partial(train_generator, config, resume=resume, overwrite=overwrite))
