"""What a judge is shown of a candidate message, or why it cannot be shown."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage

from egrm_graph.messages.candidates import merged, read_candidates


def outcome(given: Any) -> Any:
    """The text of one candidate, or why it is unfit; of several, the index of the one that each is equal to."""
    if isinstance(given, list):
        return merged(read_candidates([AIMessage(**each) for each in given]))
    [candidate] = read_candidates([AIMessage(**given)])
    return {"unfit": candidate.unfit} if candidate.unfit else candidate.text
