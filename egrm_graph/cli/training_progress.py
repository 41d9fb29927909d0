"""The progress of a training: a bar, and a line for each evaluation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from egrm_graph.cli.interruption import INTERRUPTED
from egrm_graph.terminal.terminal_text import inert

SHARES = {
    "best_of_n": "scorer's choice",
    "majority": "majority",
    "oracle": "any path right",
    "pairwise": "pairs in order",
    "first_error_f1": "first-error F1",
    "step_accuracy": "steps judged correctly",
    "steps_in_order": "pairs of steps in order",
    "accuracy": "right verdicts",
    "unreadable": "unreadable",
    "fit": "fitting structures",
    "direct": "answered directly",
    "fast_accuracy": "fast answers right",
    "path_accuracy": "one path right",
    "path_unreadable": "unreadable paths",
}
NUMBERS = ("tokens", "path_tokens", "score", "right_if_scored", "calibration_error", "loss")


class TrainingProgress:
    """A `TrainingObserver` that prints to a console. The bar appears only in a terminal."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"), TimeElapsedColumn())
        bar = (*columns, TextColumn("left"), TimeRemainingColumn())
        self._progress = Progress(*bar, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("training", total=None)
        self._console = console
        self._n_steps = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def started(self, n_steps: int) -> None:
        self._n_steps = n_steps
        self._progress.update(self._task, total=n_steps)

    def stepped(self, step: int) -> None:
        self._progress.update(self._task, completed=step)

    def evaluated(self, step: int, figures: Mapping[str, float]) -> None:
        shares = [f"{label} {100 * figures[name]:.1f} %" for name, label in SHARES.items() if name in figures]
        numbers = [f"{name} {figures[name]:.4g}" for name in NUMBERS if name in figures]
        self.noted(f"step {step} of {self._n_steps}, held out: {', '.join([*shares, *numbers])}")

    def noted(self, message: str) -> None:
        self._console.print(Text(inert(message)), soft_wrap=True)


def with_progress(output: Path, train: Callable[..., Path]) -> Path:
    """Train with a bar, and return the folder of the result. If it is interrupted, say how to continue in `output`."""
    console = Console(stderr=True, highlight=False)
    try:
        with redirect_stdout(sys.stderr), TrainingProgress(console) as progress:
            return train(observer=progress)
    except KeyboardInterrupt:
        message = f"egrm: interrupted; run the same command with --resume to continue {output}"
        console.print(Text(message), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
