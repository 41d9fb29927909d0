"""Logs of fast answers and reasoning paths, whose answers are known to be right or wrong.

A line is a question, `{"id", "fast": [sample], "paths": [sample]}`, and a sample `{"answer": str | null, "correct":
bool, "n_tokens": int | null}`; other fields are passed over. Equal answers are equal strings, and `null` is an answer
that could not be read. Files are read plain or gzipped.
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
    """One answer that was drawn."""

    model_config = ConfigDict(frozen=True, strict=True, use_attribute_docstrings=True)

    answer: str | None
    """None where none could be read; it stays in the denominator, and is nobody's vote, whether `correct` or not."""
    correct: bool
    n_tokens: int | None = Field(default=None, ge=0)


class LoggedQuestion(BaseModel):
    """One question: everything that was drawn for it."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str | int | float
    fast: tuple[LoggedAnswer, ...] = Field(min_length=1)
    """In drawing order."""
    paths: tuple[LoggedAnswer, ...] = Field(min_length=1)
    reasoned: LoggedAnswer | None = None
    """What reasoning came to, where a run said so; None lets the paths vote."""
    confidence: float | None = None
    """The run's own confidence in that; of paths that vote it is their share."""
    scored: bool = False
    """Whether that confidence is a scorer's score."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        marks: dict[str, bool] = {}
        for draw in (*self.fast, *self.paths):
            if draw.answer is not None and marks.setdefault(draw.answer, draw.correct) != draw.correct:
                raise ValueError(f"the answer {draw.answer!r} is both right and wrong; equal answers are equally right")
        return self


def read_log(file: Path) -> list[LoggedQuestion]:
    """The questions of a log.

    Raises:
        InputError: the file, or a line of it, is not of this form; says which, and what to do.
    """
    return [saved(file, number, row) for number, row in rows_of(file)]


def saved(file: Path, number: int, row: dict[str, Any]) -> LoggedQuestion:
    """One line of a log."""
    if "fast" not in row or "paths" not in row:
        known = ", ".join(repr(name[:40]) for name in list(row)[:8]) or "nothing"
        raise InputError(
            f"{file}, line {number}: there is no 'fast' and 'paths' of a log; the line has {known}. A file of "
            "`egrm verify` needs its questions, with their references, beside it (--questions)"
        )
    try:
        return LoggedQuestion(**{"id": number, **{name: row[name] for name in ("id", "fast", "paths") if name in row}})
    except ValidationError as error:
        raise InputError(f"{file}, line {number}: {explain(error)[:400]}") from error


def rows_of(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines that are not blank, each with its number; no two have the same id.

    Raises:
        InputError: the file cannot be read, is empty, or a line is no JSON object.
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
            raise InputError(f"{file}, line {number} is no JSON object")
        name = json.dumps(row.get("id", number))
        if name in seen:
            raise InputError(f"{file}, line {number}: the id {name} is that of line {seen[name]}; give each its own")
        seen[name] = number
        yield number, row
    if not seen:
        raise InputError(f"{file} holds no question")


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
        return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
