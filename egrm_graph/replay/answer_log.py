"""Read logs of fast answers and reasoning paths that are known to be right or wrong.

Each line is a question, `{"id", "fast": [sample], "paths": [sample]}`, where a sample is `{"answer": str | null,
"correct": bool, "n_tokens": int | null}`. A path may also have a `"score": float | null`. Other fields are ignored.
Equal answers are equal strings, and `null` is an answer that could not be read. Files may be gzipped.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from egrm_graph.errors import InputError
from egrm_graph.settings import explain


class LoggedAnswer(BaseModel):
    """One fast answer or reasoning path of a log."""

    model_config = ConfigDict(frozen=True, strict=True, use_attribute_docstrings=True)

    answer: str | None
    """None if it could not be read. It counts in the denominator but is never a vote, even if it is `correct`."""
    correct: bool
    n_tokens: int | None = Field(default=None, ge=0)
    score: float | None = Field(default=None, ge=0, le=1)
    """Of a path: the probability that it is right, from a calibrated scorer."""


class LoggedQuestion(BaseModel):
    """One question and everything that was drawn for it."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str | int | float
    fast: tuple[LoggedAnswer, ...] = Field(min_length=1)
    """In the order they were drawn."""
    paths: tuple[LoggedAnswer, ...] = Field(min_length=1)
    reasoned: LoggedAnswer | None = None
    """The outcome of reasoning, if a run recorded it. None lets the paths vote."""
    confidence: float | None = None
    """The run's confidence in that outcome. If paths voted, their share."""
    scored: bool = False
    """Whether the confidence is a scorer's score."""
    dependent: bool = False
    """Whether the paths are the leaves of a tree, or the chains of one completion. They are not votes, and what a run
    with fewer of them would draw is not known."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        marks: dict[str, bool] = {}
        for draw in (*self.fast, *self.paths):
            if draw.answer is not None and marks.setdefault(draw.answer, draw.correct) != draw.correct:
                raise ValueError(f"the answer {draw.answer!r} is both right and wrong; equal answers are equally right")
        return self


def read_log(file: Path) -> list[LoggedQuestion]:
    """Read the questions of a log.

    Raises:
        InputError: The file or a line does not have this format. Says which line, and how to fix it.
    """
    return [saved(file, number, row) for number, row in rows_of(file)]


def saved(file: Path, number: int, row: dict[str, Any]) -> LoggedQuestion:
    """Parse one line of a log."""
    if "fast" not in row or "paths" not in row:
        known = ", ".join(repr(name[:40]) for name in list(row)[:8]) or "nothing"
        raise InputError(
            f"{file}, line {number}: a log needs 'fast' and 'paths', but the line has {known}. For a file from "
            "`egrm verify`, pass its questions with references (--questions)"
        )
    paths = row["paths"] if isinstance(row["paths"], list) else []
    if any(isinstance(path, dict) and path.get("branch") for path in paths):
        raise InputError(
            f"{file}, line {number}: its paths are the leaves of a tree, which are not votes. Pass the file from `egrm "
            "verify`, which has the outcome of each run, with its questions (--questions)"
        )
    try:
        return LoggedQuestion(**{"id": number, **{name: row[name] for name in ("id", "fast", "paths") if name in row}})
    except ValidationError as error:
        raise InputError(f"{file}, line {number}: {explain(error)[:400]}") from error


def rows_of(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate over the lines that are not blank, with their numbers.

    Raises:
        InputError: The file cannot be read or is empty, a line is not a JSON object, or an id occurs twice.
    """
    seen: dict[object, int] = {}
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}, line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise InputError(f"{file}, line {number} is not a JSON object")
        name = json.dumps(row.get("id", number))
        if name in seen:
            raise InputError(f"{file}, line {number}: line {seen[name]} has the same id, {name}; make ids unique")
        seen[name] = number
        yield number, row
    if not seen:
        raise InputError(f"{file} has no questions")


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
        return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
