"""Files of rollouts: questions with sampled paths, each marked right or wrong. JSON lines, one question a line.

{"id": "7", "question": "17+48-9", "reference": "56", "level": 4,
 "paths": [{"text": "17+40=57;57+8=65;65-9=56;#56", "answer": "56", "correct": true, "n_tokens": 29}, ...]}
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from egrm_graph.errors import InputError
from egrm_graph.settings import explain


class RolloutPath(BaseModel):
    """One sampled path."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    text: str
    answer: str | None
    """The answer read out of the text; None where there is none, and then it is not correct."""
    correct: bool
    n_tokens: int | None = None
    """Completion tokens, the end token included."""


class Rollout(BaseModel):
    """One question and its paths."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str = Field(min_length=1)
    """Unique in its file; decides the side of the split."""
    question: str = Field(min_length=1)
    reference: str
    level: int | None = None
    """How hard the question is, where that is known."""
    paths: tuple[RolloutPath, ...] = Field(min_length=1)


def read_rollouts(file: Path) -> list[Rollout]:
    """All rollouts of a file; empty lines are passed over.

    Raises:
        InputError: the file cannot be read, has no rollouts, or a line is not one; names the line.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the rollouts in {file} cannot be read: {error}") from error
    rollouts: dict[str, Rollout] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            rollout = _parse(line, where=f"{file}, line {number}")
            if rollout.id in rollouts:
                raise InputError(f"{file}, line {number}: the id {rollout.id!r} was used before; give each its own")
            rollouts[rollout.id] = rollout
    if not rollouts:
        raise InputError(f"{file} has no rollouts; write one question with its paths on each line")
    return list(rollouts.values())


def _parse(line: str, where: str) -> Rollout:
    try:
        return Rollout.model_validate_json(line)
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error)[:500]}") from error


def write_rollouts(file: Path, rollouts: Iterable[Rollout]) -> None:
    """Writes a file that `read_rollouts` reads, and the folder around it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(rollout.model_dump_json() + "\n" for rollout in rollouts), "utf-8")


def split(rollouts: Sequence[Rollout], held_out_share: float) -> tuple[list[Rollout], list[Rollout]]:
    """The rollouts to train on, and those held out: about that share, whole questions, the same in any order."""
    held_out = [_position(rollout.id) < held_out_share for rollout in rollouts]
    train = [rollout for rollout, held in zip(rollouts, held_out, strict=True) if not held]
    return train, [rollout for rollout, held in zip(rollouts, held_out, strict=True) if held]


def _position(name: str) -> float:
    """Where a name falls in [0, 1)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48
