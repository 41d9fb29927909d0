"""Candidates to judge, with the right verdict, as JSON lines or Parquet:

{"question": "17+48-9", "candidates": ["56", "57"], "reference": "A", "domain": "correctness"}

`egrm bench` reads this form, too. It also reads published files, such as LLMBar's, which are not read here;
`examples/studies/published_pairs.py` converts them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from egrm_graph.deciding.outcomes import TIE
from egrm_graph.errors import InputError
from egrm_graph.settings import explain
from egrm_graph.training.training_data import file_rows

Domain = Literal["preference", "correctness"]


class JudgedPair(BaseModel):
    """Two or more candidates, and which one is right."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    question: str = Field(min_length=1)
    candidates: tuple[str, ...] = Field(min_length=2)
    reference: str
    """The right verdict: `A` for the first candidate, `B` for the second, or `tie`."""
    id: str | int | None = None
    domain: Domain | None = None
    """What decides between the candidates: what people prefer, or whether an answer is correct."""

    @model_validator(mode="before")
    @classmethod
    def _has_all_fields(cls, row: Any) -> Any:
        missing = [
            name for name in ("question", "candidates", "reference") if isinstance(row, dict) and name not in row
        ]
        if missing:
            raise ValueError(
                f"{' and '.join(missing)} missing; a judged pair has a question, candidates, and a reference"
            )
        return row

    @model_validator(mode="after")
    def _reference_is_a_candidate(self) -> JudgedPair:
        names = [*(chr(ord("A") + i) for i in range(len(self.candidates))), TIE]
        if self.reference not in names:
            raise ValueError(f"reference={self.reference!r} names no candidate; use one of {', '.join(names)}")
        return self


def read_pairs(file: Path) -> list[JudgedPair]:
    """Read all pairs of a file.

    Raises:
        InputError: the file cannot be read or has no pairs, or a row is not one. The message names the row.
    """
    pairs = []
    for where, _, row in file_rows(file):
        try:
            pairs.append(pair_of(row))
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    if not pairs:
        raise InputError(f"{file} has no pairs; write one with a question, candidates, and a reference on each line")
    return pairs


def pair_of(row: Mapping[str, Any]) -> JudgedPair:
    """The pair in a row.

    Raises:
        InputError: the row is not a pair.
    """
    try:
        return JudgedPair.model_validate(row)
    except ValidationError as error:
        raise InputError(explain(error)[:500]) from error


def with_shuffled_labels(pairs: Sequence[JudgedPair], seed: int) -> list[JudgedPair]:
    """The same pairs with their right verdicts permuted within each domain: a control, from which no judge can learn
    which candidate is right."""
    shuffled = list(pairs)
    for domain in dict.fromkeys(pair.domain for pair in pairs):
        places = [i for i, pair in enumerate(pairs) if pair.domain == domain]
        labels = [pairs[i].reference for i in places]
        random.Random(f"{seed} {domain}").shuffle(labels)
        for i, label in zip(places, labels, strict=True):
            shuffled[i] = pairs[i].model_copy(update={"reference": label})
    return shuffled
