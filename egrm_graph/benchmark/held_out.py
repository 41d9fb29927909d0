"""The bundled world's held-out questions, and the pairs and lists of answers to judge, whose right outcome is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from egrm_graph.errors import InputError
from egrm_graph.settings import TaskName
from egrm_graph.state import Input

_FILES: dict[TaskName, str] = {"pairwise": "held_out_pairs.jsonl", "best_of_n": "held_out_lists.jsonl"}


@dataclass(frozen=True)
class Question:
    """A question whose right answer is known; with candidates, one whose right verdict is."""

    id: str
    text: str
    reference: str
    level: int | str
    candidates: tuple[str, ...] = ()

    @property
    def given(self) -> Input:
        """The graph's input. The right verdict is not part of it."""
        if self.candidates:
            return {"question": self.text, "candidates": list(self.candidates)}
        return {"question": self.text, "reference": self.reference}


def held_out(n: int, task: TaskName = "arithmetic") -> list[Question]:
    """The first `n` of the bundled world's 1,000 held-out questions, pairs or lists, levels mixed."""
    lines = (files("egrm_graph") / "models" / _FILES.get(task, "held_out.jsonl")).read_text().splitlines()
    if n > len(lines):
        raise InputError(f"--questions {n} is more than the {len(lines)} held-out questions that come with the package")
    rows = [json.loads(line) for line in lines[:n]]
    return [
        Question(row["id"], row["question"], row["reference"], row["level"], tuple(row.get("candidates", ())))
        for row in rows
    ]
