"""A LangGraph verifier that reasons only when needed.

    from egrm_graph import build_graph

    graph = build_graph()
    print(graph.invoke({"question": "17+48-9"})["verification"]["answer"])

This is the public API. Each name is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from egrm_graph.clients.client import Client
    from egrm_graph.deciding.decision import Decision
    from egrm_graph.deciding.findings import Findings
    from egrm_graph.errors import EgrmError
    from egrm_graph.graph import build_graph
    from egrm_graph.scoring.scorer import Scorer
    from egrm_graph.settings import RunSettings, Settings
    from egrm_graph.strategies.strategy import Known, PathCall, PathInView, PathStrategy
    from egrm_graph.tasks.judging import Judging
    from egrm_graph.tasks.question import QuestionTask
    from egrm_graph.tasks.task import Task
    from egrm_graph.uncertainty.evidence import Evidence
    from egrm_graph.uncertainty.measures import Measure
    from egrm_graph.uncertainty.stopping import Standing
    from egrm_graph.verification import Verification, View

_HOMES = {
    "Client": "egrm_graph.clients.client",
    "Decision": "egrm_graph.deciding.decision",
    "EgrmError": "egrm_graph.errors",
    "Evidence": "egrm_graph.uncertainty.evidence",
    "Findings": "egrm_graph.deciding.findings",
    "Judging": "egrm_graph.tasks.judging",
    "Known": "egrm_graph.strategies.strategy",
    "Measure": "egrm_graph.uncertainty.measures",
    "PathCall": "egrm_graph.strategies.strategy",
    "PathInView": "egrm_graph.strategies.strategy",
    "PathStrategy": "egrm_graph.strategies.strategy",
    "QuestionTask": "egrm_graph.tasks.question",
    "RunSettings": "egrm_graph.settings",
    "Scorer": "egrm_graph.scoring.scorer",
    "Settings": "egrm_graph.settings",
    "Standing": "egrm_graph.uncertainty.stopping",
    "Task": "egrm_graph.tasks.task",
    "Verification": "egrm_graph.verification",
    "View": "egrm_graph.verification",
    "build_graph": "egrm_graph.graph",
}

__version__ = "0.1.0"
__all__ = [
    "Client",
    "Decision",
    "EgrmError",
    "Evidence",
    "Findings",
    "Judging",
    "Known",
    "Measure",
    "PathCall",
    "PathInView",
    "PathStrategy",
    "QuestionTask",
    "RunSettings",
    "Scorer",
    "Settings",
    "Standing",
    "Task",
    "Verification",
    "View",
    "__version__",
    "build_graph",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'egrm_graph' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
