"""`egrm train scorer`: a scorer from a file of rollouts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.interruption import INTERRUPTED
from egrm_graph.cli.setting_options import with_fields
from egrm_graph.cli.training_progress import TrainingProgress
from egrm_graph.errors import SettingsError
from egrm_graph.scoring.checkpoint import MANIFEST
from egrm_graph.settings import explain
from egrm_graph.training.train_scorer import train_scorer
from egrm_graph.training.training_settings import ScorerTraining

Resume = Annotated[bool, typer.Option("--resume", help="Go on with the training in --output, where there is one.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Train the scorer in --output anew.")]


def training_of(given: Mapping[str, Any]) -> ScorerTraining:
    """The configuration with the options that were given.

    Raises:
        SettingsError: a value is out of range, or does not fit another one.
    """
    try:
        return ScorerTraining(**given)
    except ValidationError as error:
        raise SettingsError(explain(error)) from error


PANELS = {
    "What is minimised": ("objective", "alpha", "delta", "margin"),
    "How it is trained": ("epochs", "learning_rate", "batch_questions", "max_batch_tokens", "patience", "seed"),
    "Large models": ("lora_rank", "lora_alpha", "gradient_checkpointing"),
    "How it is measured": ("held_out", "held_out_share", "evaluations", "best_of", "calibration"),
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
)
def scorer(config: ScorerTraining, resume: Resume = False, overwrite: Overwrite = False) -> None:
    """Train a scorer on rollouts: questions with reasoning paths, each marked right or wrong.

    A row of ROLLOUTS, JSON lines or Parquet, is {"id", "question", "reference", "paths": [{"text", "answer",
    "correct"}, ...]}, as `egrm rollouts` writes it, a pair {"prompt", "chosen", "rejected"}, or a graded {"prompt",
    "response", "score"}. The output folder gets the scorer, report.json and report.html; use it by --scorer. A
    training that was interrupted, or killed, goes on by --resume to the same scorer.
    """
    console = Console(stderr=True, highlight=False)
    try:
        with redirect_stdout(sys.stderr), TrainingProgress(console) as progress:
            folder = train_scorer(config, resume=resume, overwrite=overwrite, watch=progress)
    except KeyboardInterrupt:
        told = f"egrm: interrupted; the same command with --resume goes on with {config.output}"
        console.print(Text(told), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    held_out = {name: round(value, 6) if value else value for name, value in manifest["held_out"].items()}
    typer.echo(json.dumps({"scorer": str(folder), **held_out, "calibration": manifest["calibration"]}))
