"""Logs written out by hand, for the tests of what reads them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from egrm_graph.replay.answer_log import LoggedAnswer, LoggedQuestion


def draws(answers: str, right: str = "7", n_tokens: int | None = None) -> tuple[LoggedAnswer, ...]:
    """A draw for each character; `-` is one that is lost."""
    given = [None if answer == "-" else answer for answer in answers]
    return tuple(LoggedAnswer(answer=answer, correct=answer == right, n_tokens=n_tokens) for answer in given)


def question(name: int, fast: str, paths: str = "7777", tokens: tuple[int, int] | None = None) -> LoggedQuestion:
    """One whose right answer is 7; `tokens` of each fast answer and of each path."""
    of_fast, of_path = tokens or (None, None)
    return LoggedQuestion(id=name, fast=draws(fast, n_tokens=of_fast), paths=draws(paths, n_tokens=of_path))


def written(file: Path, log: Sequence[LoggedQuestion]) -> Path:
    """The log as a file."""
    file.write_text("".join(json.dumps(line(each)) + "\n" for each in log))
    return file


def line(saved: LoggedQuestion) -> dict[str, Any]:
    return saved.model_dump(mode="json", include={"id", "fast", "paths"})
