"""A LangGraph verifier that reasons only when needed.

    from egrm_graph import build_graph

    graph = build_graph()
    print(graph.invoke({"question": "17+48-9"})["verification"]["answer"])

Everything below is the package's public face; it is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from egrm_graph.errors import EgrmError
    from egrm_graph.graph import build_graph
    from egrm_graph.settings import RunSettings, Settings
    from egrm_graph.uncertainty.measures import Measure
    from egrm_graph.verification import Verification

_HOMES = {
    "EgrmError": "egrm_graph.errors",
    "Measure": "egrm_graph.uncertainty.measures",
    "RunSettings": "egrm_graph.settings",
    "Settings": "egrm_graph.settings",
    "Verification": "egrm_graph.verification",
    "build_graph": "egrm_graph.graph",
}

__version__ = "0.1.0"
__all__ = ["EgrmError", "Measure", "RunSettings", "Settings", "Verification", "__version__", "build_graph"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'egrm_graph' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
