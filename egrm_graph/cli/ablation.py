"""`egrm train ablation`: train a scorer with each objective, and compare them on held-out questions."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.interruption import interruptible
from egrm_graph.cli.setting_options import with_fields
from egrm_graph.cli.train import COMMON, panel_of, training_of
from egrm_graph.cli.training_progress import TrainingProgress
from egrm_graph.errors import SettingsError
from egrm_graph.terminal.tables import standard_output
from egrm_graph.training.train_scorer import train_scorer
from egrm_graph.training.training_settings import UNUSED, ScorerTraining

OBJECTIVES: tuple[str, ...] = get_args(ScorerTraining.model_fields["objective"].annotation)


def trainings_of(options: Mapping[str, Any]) -> list[ScorerTraining]:
    """A training for each objective, in a folder of its own, with only the weights that the objective uses.

    Raises:
        SettingsError: a value is out of range.
    """
    return [
        training_of(
            {name: value for name, value in options.items() if name not in UNUSED[objective]}
            | {"objective": objective, "output": Path(options["output"]) / objective}
        )
        for objective in OBJECTIVES
    ]


@with_fields(
    ScorerTraining,
    "configs",
    trainings_of,
    without=("objective",),
    positional=("rollouts",),
    metavars={"rollouts": "ROLLOUTS", "base": "FOLDER|NAME"},
    panel=panel_of,
    common=COMMON,
)
@interruptible
def ablation(
    configs: list[ScorerTraining],
    *,
    test: Annotated[list[Path], typer.Option(help="File of rollouts to compare on. Repeatable.")],
    size: Annotated[list[int] | None, typer.Option(min=1, help="Paths to choose among. [default: 4 8 16]")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Train all scorers again.")] = False,
) -> None:
    """Train a scorer with each objective, and compare every selection rule on their scores.

    The scorers go to subfolders of --output: hybrid, regression, hinge, and bradley_terry. The command skips a scorer
    that is complete, and resumes one that was interrupted.

    \fFor each file of --test, it prints a table with the accuracy of the majority vote, of each rule with each scorer,
    and of the best possible choice. Each question of the file needs as many paths as the largest --size.
    objectives.json in --output has the same figures.
    """
    from egrm_graph.benchmark.rule_comparison import compare_rules, read_test, write_reports

    sizes = size or [4, 8, 16]
    for file in test:  # checked before anything is trained
        if not file.is_file():
            raise SettingsError(f"--test {file}: no such file; create it with `egrm rollouts`")
        read_test(file, sizes)
    out, err = standard_output(), Console(stderr=True, highlight=False)
    folders: dict[str, Path] = {}
    for config in configs:
        err.print(Text(f"objective {config.objective}"))
        with redirect_stdout(sys.stderr), TrainingProgress(err) as progress:
            folders[config.objective] = train_scorer(
                config, resume=not overwrite, overwrite=overwrite, observer=progress
            )
    reports = [asyncio.run(compare_rules(file, folders, sizes, err)) for file in test]
    write_reports(reports, out, configs[0].output.parent / "objectives.json")
