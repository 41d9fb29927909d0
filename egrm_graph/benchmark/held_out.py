"""Held-out questions of the bundled model, and pairs and lists of answers to judge. The correct outcome is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from egrm_graph.errors import InputError
from egrm_graph.settings import TaskName
from egrm_graph.state import Input

_FILES: dict[TaskName, str] = {"pairwise": "held_out_pairs.jsonl", "best_of_n": "held_out_lists.jsonl"}


@dataclass(frozen=True)
class BenchQuestion:
    """A question with a known answer or, if it has candidates, with a known verdict."""

    id: str
    text: str
    reference: str
    level: int | str
    candidates: tuple[str, ...] = ()

    @property
    def input(self) -> Input:
        """The input of the graph. It does not include the correct verdict."""
        if self.candidates:
            return {"question": self.text, "candidates": list(self.candidates)}
        return {"question": self.text, "reference": self.reference}


def held_out(n: int, task: TaskName = "arithmetic") -> list[BenchQuestion]:
    """The first `n` of 1,000 held-out questions, pairs, or lists, with mixed levels."""
    lines = (files("egrm_graph") / "models" / _FILES.get(task, "held_out.jsonl")).read_text().splitlines()
    if n > len(lines):
        raise InputError(f"--questions {n} is more than the {len(lines)} held-out questions that ship with the package")
    rows = [json.loads(line) for line in lines[:n]]
    return [
        BenchQuestion(row["id"], row["question"], row["reference"], row["level"], tuple(row.get("candidates", ())))
        for row in rows
    ]
