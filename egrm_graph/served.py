"""The graph that `langgraph dev` serves, built once from the `EGRM_` environment variables.

This is the only module that does its work on import. The server would call a function for every run, which would load
the models each time. No other module imports this one.
"""

from __future__ import annotations

from egrm_graph.graph import build_graph
from egrm_graph.settings import settings_from_environment

graph = build_graph(settings_from_environment())
