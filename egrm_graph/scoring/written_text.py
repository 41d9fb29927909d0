"""The text of a path that a scorer reads."""

from __future__ import annotations

from egrm_graph.verification import Path


def written(path: Path) -> str:
    """Everything that the model wrote, its thinking first."""
    return "\n\n".join(part for part in (path["thinking"], path["text"]) if part)
