"""What `killed.py` imports once for all of its processes."""

import egrm_graph.cli  # noqa: F401
import egrm_graph.clients.vllm  # noqa: F401
import egrm_graph.graph  # noqa: F401
import egrm_graph.training.roll_out  # noqa: F401
