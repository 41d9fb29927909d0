"""Questions with references, which a generator is reinforced on, or measured on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from egrm_graph.errors import InputError
from egrm_graph.settings import explain
from egrm_graph.training.training_data import file_rows
from egrm_graph.values import plain_text


def _reference(value: Any) -> str:
    return plain_text(value, "it")


class AnsweredQuestion(BaseModel):
    """One question with its correct answer. Other fields are allowed, and not used."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    question: str = Field(min_length=1)
    reference: Annotated[str, BeforeValidator(_reference)]
    """The correct answer. Numbers and booleans count as their JSON text."""


def read_answered_questions(file: Path) -> list[AnsweredQuestion]:
    """Read all questions of a file of JSON lines or Parquet.

    Raises:
        InputError: the file cannot be read or has no questions, or a row is not one. The message names the row.
    """
    questions = []
    for where, _, row in file_rows(file):
        try:
            questions.append(AnsweredQuestion.model_validate(row))
        except ValidationError as error:
            raise InputError(f"{where}: {explain(error)[:500]}") from error
    if not questions:
        raise InputError(f'{file} has no questions; write one {{"question": ..., "reference": ...}} on each line')
    return questions


def refuse_shared(train: Sequence[AnsweredQuestion], held_out: Sequence[AnsweredQuestion]) -> None:
    """Raise `InputError` if a question is in both."""
    shared = {one.question for one in train} & {other.question for other in held_out}
    if shared:
        raise InputError(
            f"{len(shared)} questions are in both files, such as {min(shared)!r}; hold out other questions"
        )
