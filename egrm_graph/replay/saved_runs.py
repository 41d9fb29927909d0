"""Convert the output of `egrm verify` to a log, using the references of its questions.

A replay needs all fast answers and paths of every question, so the gate must never open and drawing must never stop:
`egrm verify QUESTIONS --measure consensus --threshold 2 --stopping all --path-stopping all --samples 16 --output RUN`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from egrm_graph.errors import InputError
from egrm_graph.replay.answer_log import LoggedAnswer, LoggedQuestion, read_log, rows_of
from egrm_graph.settings import TaskName, explain
from egrm_graph.tasks import task_named
from egrm_graph.uncertainty.votes import classes
from egrm_graph.values import plain_text

SameAnswer = Callable[[str, str], bool]
"""Whether two answers are the same."""

COMPLETE = (
    "draw all of them for every question with a gate that never opens: --measure consensus --threshold 2 --stopping "
    "all --path-stopping all"
)


class _Sample(BaseModel):
    answer: str | None
    n_tokens: int | None = None
    score: float | None = None
    branch: dict[str, Any] | None = None
    request_id: str | None = None
    seed: int | None = None


class _Drawn(BaseModel):
    samples: int
    planned: int


class _Run(BaseModel):
    """The fields of a verification that a log needs."""

    route: str
    answer: str | None
    best_guess: str | None = None
    confidence: float | None
    calibrated: bool | None = None
    best_path: int | None = None
    uncertainty: _Drawn
    samples: list[_Sample]
    paths: list[_Sample]


def read_labelled(file: Path, questions: Path | None, task: TaskName) -> list[LoggedQuestion]:
    """Read the questions of a log or, with `questions`, of a file from `egrm verify`.

    Raises:
        InputError: The file cannot be used. Says which line, and how to fix it.
    """
    if questions is None:
        return read_log(file)
    if task not in ("answer", "arithmetic"):
        raise InputError(f"runs of the task {task!r} have no references to compare with; write a log instead")
    return read_runs(file, questions, task_named(task).same)


def read_runs(file: Path, questions: Path, same: SameAnswer) -> list[LoggedQuestion]:
    """Read a file from `egrm verify`. `questions` has the "reference" of each question, by id or line number.

    Raises:
        InputError: A line lacks its answer, reference, fast answers, or paths.
    """
    references = {_key(row, number): row.get("reference") for number, row in rows_of(questions)}
    return [_saved(f"{file}, line {number}", row, references, same) for number, row in rows_of(file)]


def _key(row: Mapping[str, Any], number: int) -> str:
    return repr(row.get("id", number))


def _saved(where: str, row: dict[str, Any], references: Mapping[str, Any], same: SameAnswer) -> LoggedQuestion:
    if row.get("error") is not None:
        raise InputError(f"{where} was not answered: {row['error']}; ask again, or remove the line")
    try:
        run = _Run(**row)
    except ValidationError as error:
        raise InputError(f"{where} is not a verification: {explain(error)[:400]}") from error
    reference = references.get(_key(row, -1))
    if reference is None:
        raise InputError(f"{where}: the questions have no reference for the id {row.get('id')!r}; add it there")
    reference = plain_text(reference, f"{where}: the reference")
    if run.route != "reasoned" or not run.paths or not run.samples:
        lacking = "fast answers" if run.paths else "paths"
        raise InputError(f"{where} has no {lacking}; {COMPLETE}")
    if run.uncertainty.samples < run.uncertainty.planned:
        drawn = f"{run.uncertainty.samples} of {run.uncertainty.planned} fast answers"
        raise InputError(f"{where} has {drawn}, because drawing stopped early; {COMPLETE}")
    unified = _unified([*run.samples, *run.paths], same)
    draws = [
        LoggedAnswer(
            answer=answer,
            correct=answer is not None and same(answer, reference),
            n_tokens=sample.n_tokens,
            score=None if run.calibrated is False else sample.score,  # only probabilities can stop a run
        )
        for answer, sample in zip(unified, [*run.samples, *run.paths], strict=True)
    ]
    # A log has the outcome of reasoning, even if the run withheld it.
    answer = run.answer if run.best_guess is None else run.best_guess
    correct = answer is not None and same(answer, reference)
    return LoggedQuestion(
        id=row["id"],
        fast=tuple(draws[: len(run.samples)]),
        paths=tuple(draws[len(run.samples) :]),
        reasoned=LoggedAnswer(answer=answer, correct=correct),
        confidence=run.confidence,
        scored=run.best_path is not None,
        dependent=_dependent(run.paths),
    )


def _dependent(paths: Sequence[_Sample]) -> bool:
    """Whether paths branch from one another, or come from one completion."""
    completions = Counter((path.request_id, path.seed) for path in paths if path.request_id is not None)
    return any(path.branch is not None for path in paths) or any(n > 1 for n in completions.values())


def _unified(samples: Sequence[_Sample], same: SameAnswer) -> list[str | None]:
    """Replace each answer by the first answer of its class."""
    answers = [sample.answer for sample in samples]
    return [None if first is None else answers[first] for first in classes(answers, same)]
