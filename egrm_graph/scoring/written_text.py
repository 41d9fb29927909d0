"""The text of a path that a scorer reads, and its steps."""

from __future__ import annotations

from itertools import pairwise

from egrm_graph.verification import Path


def written(path: Path) -> str:
    """Everything that the model wrote, its thinking first."""
    return "\n\n".join(part for part in (path["thinking"], path["text"]) if part)


def step_texts(path: Path) -> list[str] | None:
    """The texts of the steps that have scores; None if a record lacks the text that they were counted in."""
    text, ends = written(path), [step["end"] for step in path.get("steps") or ()]
    if not text or not ends or ends[-1] != len(text):
        return None
    return [text[start:end] for start, end in pairwise((0, *ends))]
