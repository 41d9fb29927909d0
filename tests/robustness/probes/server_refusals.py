"""Read the error of a server's refusal."""

import json
from typing import Any

from egrm_graph.clients.server_api import VLLM
from egrm_graph.clients.server_errors import LogprobsRefused, refusal
from egrm_graph.errors import ContextTooLong


def outcome(given: dict[str, Any]) -> list[Any]:
    error = refusal("URL", given.get("status", 400), {}, json.dumps(given["body"]))
    if isinstance(error, LogprobsRefused):
        error = error.of("top_logprobs", 20, VLLM.logprobs_hint)
    described = [type(error).__name__, str(error)]
    return [*described, error.context_tokens] if isinstance(error, ContextTooLong) else described
