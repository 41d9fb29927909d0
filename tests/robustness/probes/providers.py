"""The engine and the provider that spans, metrics, and records name for a client."""

from typing import Any

from langchain_core.language_models import FakeListChatModel

from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.clients.client import Client
from egrm_graph.clients.engines import load_client
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.settings import Settings
from egrm_graph.telemetry.span_attributes import engine_of, service_of


class OurGateway(ScriptedClient):
    """A user's own client."""


class NamedGateway(ScriptedClient):
    engine = "gateway.example"


PASSED_IN: dict[str, Any] = {
    "ScriptedClient": ScriptedClient,
    "a class OurGateway": OurGateway,
    "a class with engine='gateway.example'": NamedGateway,
    "ServerClient": lambda: ServerClient("tiny", ["http://localhost:9/v1"]),
    "ChatModelClient": lambda: ChatModelClient(FakeListChatModel(responses=["1"]).bind(temperature=1.0)),
}


async def outcome(given: dict[str, Any]) -> dict[str, Any]:
    settings = Settings(**given["settings"])
    client: Client = PASSED_IN[given["client"]]() if "client" in given else load_client(settings)
    try:
        service = service_of(settings, engine_of(client))
        return {"engine": engine_of(client), "provider": service.provider, "in process": service.in_process}
    finally:
        await client.aclose()
