"""Rollouts: questions with sampled paths, each marked right or wrong. JSON lines, with one question per line.

{"id": "7", "question": "17+48-9", "reference": "56", "level": 4,
 "paths": [{"text": "17+40=57;57+8=65;65-9=56;#56", "answer": "56", "correct": true, "n_tokens": 29}, ...]}

See `training_data` for other formats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from egrm_graph.values import plain_text


def _valid_unicode(text: str) -> str:
    """Raise for half of a surrogate pair, which JSON can contain and no tokenizer reads."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the text is not valid Unicode at character {error.start}; correct it there") from error
    return text


def _reference(value: Any) -> str | None:
    return None if value is None else plain_text(value, "it")


_Text = Annotated[str, AfterValidator(_valid_unicode)]


class RolloutStep(BaseModel):
    """One step of a path, and how likely it leads to the right answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    end: int = Field(gt=0)
    """How many characters of the path's text there are up to the step's end."""
    value: float = Field(ge=0, le=1)
    """The estimated probability that a path with this beginning ends right. In a tree, the leaves count by their
    probability. Of a step that a person marked, 0 or 1."""
    share: float | None = Field(default=None, ge=0, le=1)
    """The share of the continuations that end right, whatever their probability: the published soft label."""
    any: bool | None = None
    """Whether any of the continuations ends right: the published hard label."""
    leaves: int | None = None
    """The number of continuations."""


class RolloutPath(BaseModel):
    """One sampled path."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    text: _Text
    answer: str | None = None
    """The answer in the text; None without one, and then it is not correct."""
    correct: bool
    score: float | None = Field(default=None, ge=0, le=1)
    """The grade, if the path was graded and not only marked right or wrong."""
    n_tokens: int | None = None
    """Completion tokens, including the end token."""
    logprob: float | None = None
    """The sum of the log-probabilities of its tokens (nats), if the model gives them."""
    min_logprob: float | None = None
    """The log-probability of the least likely token (nats)."""
    steps: tuple[RolloutStep, ...] = ()
    """Its labeled steps, in order. Steps that it shares with a path before it are listed only there."""

    @model_validator(mode="after")
    def _steps_in_order(self) -> Self:
        ends = [0, *(step.end for step in self.steps)]
        if any(one >= other for one, other in pairwise(ends)) or ends[-1] > len(self.text):
            raise ValueError(
                f"its steps end at {ends[1:]}, which are not rising places in its {len(self.text)} characters"
            )
        return self

    @property
    def target(self) -> float:
        """The score that a scorer should give, in [0, 1]."""
        return float(self.correct) if self.score is None else self.score


class Rollout(BaseModel):
    """One question and its paths."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str | int | float
    """Unique in the file. It decides the side of the split."""
    question: _Text = Field(min_length=1)
    reference: Annotated[str | None, BeforeValidator(_reference)] = None
    """The correct answer; None if paths are only known to be better or worse."""
    level: int | None = None
    """The difficulty, if it is known."""
    paths: tuple[RolloutPath, ...]
    lost: int = 0
    """Paths that could not be drawn. They are neither right nor wrong, and not in `paths`."""
    reasons: tuple[str, ...] = ()
    """Why paths were lost."""
    requests: int | None = None
    """How many requests its paths and the labels of their steps took."""
    completion_tokens: int | None = None
    """How many tokens these generated. Tokens that paths share count once."""

    @model_validator(mode="after")
    def _has_paths(self) -> Self:
        if not self.paths and not self.lost:
            raise ValueError("it has no paths")
        return self


def write_rollouts(file: Path, rollouts: Iterable[Rollout]) -> None:
    """Write a file that `read_rollouts` reads, and create its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(rollout.model_dump_json() + "\n" for rollout in rollouts), "utf-8")


def split(rollouts: Sequence[Rollout], held_out_share: float) -> tuple[list[Rollout], list[Rollout]]:
    """The rollouts to train on, and about this share of held-out ones. The order of the rollouts does not matter."""
    held_out = [_position(str(rollout.id)) < held_out_share for rollout in rollouts]
    train = [rollout for rollout, held in zip(rollouts, held_out, strict=True) if not held]
    return train, [rollout for rollout, held in zip(rollouts, held_out, strict=True) if held]


def in_first_half(rollout: Rollout) -> bool:
    """Whether the question is in the first half of any set of questions, independently of `split`."""
    return _position(f"half of {rollout.id}") < 0.5


def _position(name: str) -> float:
    """Map a name to [0, 1)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48
