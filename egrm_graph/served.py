"""The graph that `langgraph dev` serves, built once from the environment's `EGRM_` variables.

The one module that does its work on import, because that is how the server takes a graph: a function in its place
would be called, and load its models, for every run. Nothing else imports it.
"""

from __future__ import annotations

from egrm_graph.graph import build_graph
from egrm_graph.settings import settings_from_environment

graph = build_graph(settings_from_environment())
