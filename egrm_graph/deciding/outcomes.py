"""What the outcomes of a judgment are called."""

from __future__ import annotations

from egrm_graph.verification import Judged

TIE = "tie"


def outcome_names(judged: Judged) -> list[str]:
    """What each candidate is called in the output, by its place in the input: letters, or numbers from 1."""
    n = len(judged["texts"])
    return [chr(ord("A") + i) if n <= 26 else str(i + 1) for i in range(n)]
