"""`egrm train scorer`: a scorer from a file of rollouts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

import typer
from pydantic import ValidationError

from egrm_graph.cli.fields import with_fields
from egrm_graph.cli.interruption import interruptible
from egrm_graph.errors import SettingsError
from egrm_graph.settings import explain
from egrm_graph.training.scorer import train_scorer
from egrm_graph.training.settings import ScorerTraining


def training_of(given: Mapping[str, Any]) -> ScorerTraining:
    """The configuration with the options that were given.

    Raises:
        SettingsError: a value is out of range.
    """
    try:
        return ScorerTraining(**given)
    except ValidationError as error:
        raise SettingsError(explain(error)) from error


@with_fields(ScorerTraining, "config", training_of, positional=("rollouts",), metavars={"rollouts": "ROLLOUTS"})
@interruptible
def scorer(config: ScorerTraining) -> None:
    """Train a scorer on rollouts: questions with reasoning paths, each marked right or wrong.

    A line of ROLLOUTS is {"id", "question", "reference", "paths": [{"text", "answer", "correct"}, ...]}, as `egrm
    rollouts` writes it, a pair {"prompt", "chosen", "rejected"}, or a graded {"prompt", "response", "score"}. The
    output folder gets the scorer, report.json and report.png; use it by --scorer.
    """
    with redirect_stdout(sys.stderr):  # the trainer's own progress
        folder = train_scorer(config)
    report = json.loads((folder / "report.json").read_text("utf-8"))
    typer.echo(json.dumps({"scorer": str(folder), **report["held_out"]}))
