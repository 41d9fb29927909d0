"""Read the sampling options of a request, or why the graph is not built."""

from typing import Any

from pydantic import ValidationError

from egrm_graph.clients.client import Client
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.clients.server_api import VLLM_NEUTRAL
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.clients.server_requests import sample_body
from egrm_graph.drawing.sampling import require_options, sampling_of
from egrm_graph.errors import SettingsError
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_MODEL, Settings, explain


def outcome(given: dict[str, Any]) -> Any:
    engine = given.get("engine", "vllm")
    try:
        settings = Settings(engine=engine, model=BUNDLED_MODEL, **given["settings"])
        require_options(settings, _client(engine))
    except ValidationError as error:
        return explain(error)
    except SettingsError as error:
        return str(error)
    sampling = sampling_of(settings, given["stage"])
    body = sample_body("chat", "m", [{"role": "user", "content": "1+1"}], sampling, seeds=(0,), switch=True)
    return {name: body[name] for name in ("top_p", *VLLM_NEUTRAL) if body[name] != {"top_p": 1.0, **VLLM_NEUTRAL}[name]}


def _client(engine: str) -> Client:
    return EmbeddedClient.load(bundled(BUNDLED_MODEL)) if engine == "embedded" else ServerClient("m", ["http://x:9/v1"])
