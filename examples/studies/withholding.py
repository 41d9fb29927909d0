"""Measure the cost and gain of withholding answers of low confidence, on saved runs. No model is called.

    egrm verify questions.jsonl --output run.jsonl
    python examples/studies/withholding.py run.jsonl --questions questions.jsonl --task arithmetic

It prints a Markdown table with a row for each value of `min_confidence`. The value of the runs does not matter, because
an answer that they withheld is still their best guess. Intervals are 95 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ValidationError

from egrm_graph.errors import EgrmError, InputError
from egrm_graph.intervals import Estimate, share
from egrm_graph.replay.answer_log import rows_of
from egrm_graph.settings import MIN_CONFIDENCE, TaskName, explain
from egrm_graph.tasks import task_named

VALUES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
COLUMNS = ("min_confidence", "abstained", "right, of those answered", "wrong withheld", "right withheld")


class Run(BaseModel):
    """The parts of a verification that are needed."""

    answer: str | None
    best_guess: str | None = None
    confidence: float | None
    calibrated: bool | None

    @property
    def guess(self) -> str | None:
        """The answer, withheld or not."""
        return self.answer if self.best_guess is None else self.best_guess


@dataclass(frozen=True)
class Row:
    """The figures of one value of `min_confidence`."""

    min_confidence: float
    abstained: Estimate
    """Share of all runs."""
    right: Estimate | None
    """Share of the answers that are not withheld; None if all are."""
    wrong_withheld: Estimate | None
    """Share of the wrong answers; None if all are right."""
    right_withheld: Estimate | None
    """Share of the right answers; None if all are wrong."""


def rows(runs: Sequence[tuple[Run, bool]], values: Sequence[float]) -> list[Row]:
    """A row for each value, from runs that are marked right or wrong."""
    right = np.array([correct for _, correct in runs])
    guessed = np.array([run.guess is not None for run, _ in runs])
    # A confidence that is not calibrated is never too low.
    confidence = np.array([run.confidence if run.calibrated and run.confidence is not None else 1.0 for run, _ in runs])
    made = []
    for least in values:
        withheld = guessed & (confidence < least - 1e-9)
        answered = guessed & ~withheld
        parts = (right[answered], withheld[guessed & ~right], withheld[right])
        made.append(Row(least, share(~answered), *(share(part) if part.size else None for part in parts)))
    return made


def read(file: Path, questions: Path, task: TaskName) -> list[tuple[Run, bool]]:
    """Read the runs in a file from `egrm verify`, each with whether its answer is right.

    Raises:
        InputError: a line is not a verification, or has no reference.
    """
    same = task_named(task).same
    references = {repr(row.get("id", number)): row.get("reference") for number, row in rows_of(questions)}
    runs = []
    for number, row in rows_of(file):
        where = f"{file}, line {number}"
        reference = references.get(repr(row.get("id")))
        if not isinstance(reference, str):
            raise InputError(f"{where}: {questions} has no reference for the id {row.get('id')!r}; add it there")
        try:
            run = Run(**row)
        except ValidationError as error:
            raise InputError(f"{where} is not a verification: {explain(error)[:400]}") from error
        runs.append((run, run.guess is not None and same(run.guess, reference)))
    return runs


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for row in rows:
        name = f"{row.min_confidence:g}" + (" (default)" if row.min_confidence == MIN_CONFIDENCE else "")
        shares = (row.abstained, row.right, row.wrong_withheld, row.right_withheld)
        lines.append(
            f"| {' | '.join([name, *('none' if estimate is None else estimate.percent() for estimate in shares)])} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("run", type=Path, help="a file from `egrm verify`")
    parser.add_argument("--questions", type=Path, required=True, help="the questions, with their references")
    parser.add_argument("--task", choices=("answer", "arithmetic"), default="answer", help="the task of the runs")
    parser.add_argument("--values", type=float, nargs="+", default=list(VALUES), help="values of min_confidence")
    options = parser.parse_args()
    try:
        runs = read(options.run, options.questions, options.task)
        n_right = sum(right for _, right in runs)
        print(f"{len(runs):,} runs: {n_right:,} right, {len(runs) - n_right:,} wrong\n")
        print(table(rows(runs, options.values)))
    except EgrmError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
