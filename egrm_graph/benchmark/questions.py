"""Questions with references: a file of them, or the bundled world's held-out ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from egrm_graph.errors import InputError


@dataclass(frozen=True)
class Question:
    """A question whose right answer is known."""

    id: str
    text: str
    reference: str
    level: int


def held_out(n: int) -> list[Question]:
    """The first `n` of the bundled world's 1,000 held-out questions, levels mixed."""
    lines = (files("egrm_graph") / "models" / "held_out.jsonl").read_text().splitlines()
    if n > len(lines):
        raise InputError(f"--questions {n} is more than the {len(lines)} held-out questions that come with the package")
    rows = [json.loads(line) for line in lines[:n]]
    return [Question(row["id"], row["question"], row["reference"], row["level"]) for row in rows]
