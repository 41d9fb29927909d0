"""Handwritten logs for tests."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from egrm_graph.replay.answer_log import LoggedAnswer, LoggedQuestion


def draws(answers: str, right: str = "7", n_tokens: int | None = None) -> tuple[LoggedAnswer, ...]:
    """One answer per character. `-` is a lost answer."""
    drawn = [None if answer == "-" else answer for answer in answers]
    return tuple(LoggedAnswer(answer=answer, correct=answer == right, n_tokens=n_tokens) for answer in drawn)


def question(name: int, fast: str, paths: str = "7777", tokens: tuple[int, int] | None = None) -> LoggedQuestion:
    """A question with the right answer 7. `tokens` are those of each fast answer and of each path."""
    of_fast, of_path = tokens or (None, None)
    return LoggedQuestion(id=name, fast=draws(fast, n_tokens=of_fast), paths=draws(paths, n_tokens=of_path))


def scored(name: int, fast: str, paths: Sequence[tuple[str, float]], n_tokens: int | None = None) -> LoggedQuestion:
    """A question whose paths have scores: an answer and a score each. The right answer is 7."""
    drawn = [LoggedAnswer(answer=a, correct=a == "7", n_tokens=n_tokens, score=score) for a, score in paths]
    return LoggedQuestion(id=name, fast=draws(fast, n_tokens=n_tokens), paths=tuple(drawn), scored=True)


def written(file: Path, log: Sequence[LoggedQuestion]) -> Path:
    """Write the log to a file."""
    file.write_text("".join(json.dumps(line(item)) + "\n" for item in log))
    return file


def line(saved: LoggedQuestion) -> dict[str, Any]:
    return saved.model_dump(mode="json", include={"id", "fast", "paths"})
