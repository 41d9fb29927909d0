"""The tree of a run's paths for its page. The page's script only draws it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from egrm_graph.records.record import Record
from egrm_graph.steps.leaves import leaves_of

MAX_OWN_CHARACTERS = 4000
"""The most characters of a leaf's own text. The list of paths has the full texts."""


def tree_of(record: Record) -> list[dict[str, Any]]:
    """The leaves in the order of the tree; see `TreeLeaf`. Empty if the run has no tree."""
    verification = record["verification"]
    if verification is None:
        return []
    return [asdict(leaf) for leaf in leaves_of(verification["paths"], MAX_OWN_CHARACTERS)]
