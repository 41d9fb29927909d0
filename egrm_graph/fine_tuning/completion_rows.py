"""Rows to learn from: a prompt, and the completion that the model should write. The form is that of TRL.

{"prompt": "17+48-9:", "completion": "17+40=57;57+8=65;65-9=56;#56"}
{"prompt": [{"role": "user", "content": ...}], "completion": [{"role": "assistant", "content": ...}]}

A prompt that is a text is continued. Chat messages go through the model's chat template. Other fields are allowed, and
not used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from egrm_graph.errors import InputError
from egrm_graph.settings import explain
from egrm_graph.training.training_data import file_rows


class ChatTurn(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class CompletionRow(BaseModel):
    """One row. Prompt and completion are both texts, or both conversations."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    prompt: str | tuple[ChatTurn, ...] = Field(min_length=1)
    completion: str | tuple[ChatTurn, ...] = Field(min_length=1)
    id: str | int | None = None
    """Rows with the same id are held out together; without one, rows with the same prompt."""
    label: str | None = None
    """The right verdict, if the row is a judgment."""
    style: str | None = None
    """How the completion is built, such as `breadth`."""
    domain: str | None = None
    """What is asked, such as `preference`."""

    @model_validator(mode="before")
    @classmethod
    def _both_in_one_form(cls, row: Any) -> Any:
        for name in ("prompt", "completion"):
            if isinstance(row, dict) and name not in row:
                raise ValueError(f"the field {name!r} is missing; a row has a prompt and a completion")
        if isinstance(row, dict) and isinstance(row["prompt"], str) != isinstance(row["completion"], str):
            raise ValueError("prompt and completion have different forms; use two texts, or two lists of messages")
        return row

    @model_validator(mode="after")
    def _completion_is_one_turn(self) -> CompletionRow:
        if isinstance(self.completion, tuple) and [turn.role for turn in self.completion] != ["assistant"]:
            roles = ", ".join(turn.role for turn in self.completion)
            raise ValueError(f"the completion is one message of the assistant, and this one has {roles}")
        if isinstance(self.prompt, tuple) and self.prompt[-1].role == "assistant":
            raise ValueError("the prompt ends with the assistant's turn; move that message to the completion")
        return self

    @property
    def group(self) -> str:
        """What decides whether the row is held out."""
        return str(self.prompt if self.id is None else self.id)


def read_completion_rows(file: Path) -> list[CompletionRow]:
    """Read all rows of a file of JSON lines or Parquet.

    Raises:
        InputError: the file cannot be read or has no rows, or a row is not one. The message names the row.
    """
    rows = []
    for where, _, row in file_rows(file):
        try:
            rows.append(CompletionRow.model_validate(row))
        except ValidationError as error:
            raise InputError(f"{where}: {explain(error)[:500]}") from error
    if not rows:
        raise InputError(f"{file} has no rows; write one with a prompt and a completion on each line")
    return rows


def held_out_share(rows: Sequence[CompletionRow], share: float) -> tuple[list[CompletionRow], list[CompletionRow]]:
    """The rows to train on, and about this share of held-out ones. The order of the rows does not matter."""
    train = [row for row in rows if _position(row.group) >= share]
    return train, [row for row in rows if _position(row.group) < share]


def _position(name: str) -> float:
    """Map a name to [0, 1)."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:6]) / 2**48
