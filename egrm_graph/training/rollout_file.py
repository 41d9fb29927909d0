"""Rollouts: questions with sampled paths, each marked right or wrong. JSON lines, one question a line.

{"id": "7", "question": "17+48-9", "reference": "56", "level": 4,
 "paths": [{"text": "17+40=57;57+8=65;65-9=56;#56", "answer": "56", "correct": true, "n_tokens": 29}, ...]}

`reading` tells what else is read into the same form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from egrm_graph.values import plain_text


def _whole(text: str) -> str:
    """JSON can spell half a character, which no tokenizer reads."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the text is not valid Unicode at character {error.start}; mend it there") from error
    return text


def _reference(value: Any) -> str | None:
    return None if value is None else plain_text(value, "it")


Text = Annotated[str, AfterValidator(_whole)]


class RolloutPath(BaseModel):
    """One sampled path."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    text: Text
    answer: str | None = None
    """The answer read out of the text; None where there is none, and then it is not correct."""
    correct: bool
    score: float | None = Field(default=None, ge=0, le=1)
    """How good it is, where that was graded and is more than right or wrong."""
    n_tokens: int | None = None
    """Completion tokens, the end token included."""
    logprob: float | None = None
    """The sum of its tokens' log-probabilities (nats), where the model gives them."""
    min_logprob: float | None = None
    """The least likely token's."""

    @property
    def target(self) -> float:
        """What a scorer should say of it, in [0, 1]."""
        return float(self.correct) if self.score is None else self.score


class Rollout(BaseModel):
    """One question and its paths."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str | int | float
    """Unique in its file; decides the side of the split."""
    question: Text = Field(min_length=1)
    reference: Annotated[str | None, BeforeValidator(_reference)] = None
    """The right answer; None where paths are only known to be better or worse."""
    level: int | None = None
    """How hard the question is, where that is known."""
    paths: tuple[RolloutPath, ...]
    lost: int = 0
    """Paths that could not be drawn: they are neither right nor wrong, and not among `paths`."""
    reasons: tuple[str, ...] = ()
    """Why they were lost."""

    @model_validator(mode="after")
    def _has_paths(self) -> Self:
        if not self.paths and not self.lost:
            raise ValueError("there are no paths")
        return self


def write_rollouts(file: Path, rollouts: Iterable[Rollout]) -> None:
    """Writes a file that `read_rollouts` reads, and the folder around it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(rollout.model_dump_json() + "\n" for rollout in rollouts), "utf-8")


def split(rollouts: Sequence[Rollout], held_out_share: float) -> tuple[list[Rollout], list[Rollout]]:
    """The rollouts to train on, and those held out: about that share, whole questions, the same in any order."""
    held_out = [_position(str(rollout.id)) < held_out_share for rollout in rollouts]
    train = [rollout for rollout, held in zip(rollouts, held_out, strict=True) if not held]
    return train, [rollout for rollout, held in zip(rollouts, held_out, strict=True) if held]


def in_first_half(rollout: Rollout) -> bool:
    """Which half of any set of questions this one is in; independent of `split`."""
    return _position(f"half of {rollout.id}") < 0.5


def _position(name: str) -> float:
    """Where a name falls in [0, 1)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48
