"""The engines: where a language model can run, by the name that `Settings.engine` has for it.

To add one, write its client in a file of its own and add an entry to `ENGINES`, and its name to `settings.Engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from egrm_graph.clients.client import Client
from egrm_graph.clients.server_api import OPENAI, VLLM, ServerApi
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_JUDGE, BUNDLED_MODEL, BUNDLED_MODELS, Settings


@dataclass(frozen=True)
class ModelEngine:
    """One place where a language model can run."""

    name: str
    load: Callable[[Settings], Client]
    """Creates the client for the settings. It imports what it needs only then."""
    system: Callable[[Settings], str]
    """What telemetry calls the system that answers: the value of `gen_ai.provider.name`."""
    in_process: bool = False
    """Whether the model runs in this process."""
    has_endpoint: bool = False
    """Whether it is a server, to which `base_url` and `endpoint` apply."""


PROVIDERS: Mapping[str, str] = {
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "ibm": "ibm.watsonx.ai",
}
"""OpenTelemetry's names for LangChain's providers, where the two differ."""


def _embedded(settings: Settings) -> Client:
    from egrm_graph.clients.embedded import EmbeddedClient

    name = settings.model
    return EmbeddedClient.load(bundled(name) if name in BUNDLED_MODELS else Path(name))


def _server(settings: Settings, api: ServerApi) -> Client:
    from egrm_graph.clients.server_client import ServerClient

    return ServerClient(
        settings.model,
        settings.base_url,
        api=api,
        api_key=settings.api_key,
        endpoint=settings.endpoint,
        connect_timeout_s=settings.connect_timeout_s,
        request_timeout_s=settings.request_timeout_s,
        attempts=settings.attempts,
    )


def _chat_model(settings: Settings) -> Client:
    from egrm_graph.clients.chat_model import ChatModelClient

    return ChatModelClient(settings.model)


def _langchain_provider(settings: Settings) -> str:
    provider, separator, _ = settings.model.partition(":")
    return PROVIDERS.get(provider, provider) if separator else "langchain"


ENGINES: Mapping[str, ModelEngine] = {
    engine.name: engine
    for engine in (
        ModelEngine("embedded", _embedded, lambda _: "transformers", in_process=True),
        ModelEngine("vllm", lambda settings: _server(settings, VLLM), lambda _: "vllm", has_endpoint=True),
        ModelEngine("openai", lambda settings: _server(settings, OPENAI), lambda _: "openai", has_endpoint=True),
        ModelEngine("chat_model", _chat_model, _langchain_provider),
    )
}
"""Every engine by its name."""


def load_client(settings: Settings, *, judges: bool = False) -> Client:
    """The client of the settings' engine. In this process, the bundled model judges candidates (`judges`) as
    `egrm-tiny-judge`.

    Raises:
        SetupError: the model cannot be loaded, or a setting does not suit the engine.
    """
    engine = ENGINES[settings.engine]
    if engine.in_process and judges and settings.model == BUNDLED_MODEL:
        settings = settings.model_copy(update={"model": BUNDLED_JUDGE})
    return engine.load(settings)
