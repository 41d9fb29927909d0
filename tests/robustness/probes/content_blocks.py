"""Read a candidate message as a judge does."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage

from egrm_graph.messages.candidates import merged, read_candidates


def outcome(given: Any) -> Any:
    """Return a candidate's text, or why it is unfit. For several, return the index of each one's representative."""
    if isinstance(given, list):
        return merged(read_candidates([AIMessage(**message) for message in given]))
    [candidate] = read_candidates([AIMessage(**given)])
    return {"unfit": candidate.unfit} if candidate.unfit else candidate.text
