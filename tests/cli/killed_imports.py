"""The imports of `killed.py`, done once for all of its processes."""

import egrm_graph.cli
import egrm_graph.clients.server_client
import egrm_graph.graph
import egrm_graph.training.roll_out  # noqa: F401
