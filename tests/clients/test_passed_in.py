"""What `build_graph(client=...)` accepts."""

import subprocess
import sys
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel

from egrm_graph import Settings, build_graph
from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.extensions import as_client


class FakeChat(FakeListChatModel):
    temperature: float = 1.0


def test_a_client_is_returned_unchanged() -> None:
    client = ScriptedClient(fast=[])
    assert as_client(client) is client


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_chat_model_answers_in_a_graph(wrapped: bool) -> None:
    model: Any = FakeChat(responses=["Canberra"])
    graph = build_graph(Settings(task="answer", samples=3), client=model.with_retry() if wrapped else model)
    state = await graph.ainvoke({"question": "What is the capital of Australia?"})
    assert state["verification"]["answer"] == "Canberra"


def test_a_chat_model_is_wrapped() -> None:
    assert isinstance(as_client(FakeChat(responses=["1"])), ChatModelClient)


def test_a_model_whose_temperature_cannot_be_set_is_refused() -> None:
    with pytest.raises(SettingsError, match="FakeListChatModel declares no field `temperature`"):
        as_client(FakeListChatModel(responses=["1"]))


def test_anything_else_is_refused_with_what_can_be_passed() -> None:
    name: Any = "openai:gpt-4.1-mini"
    with pytest.raises(SettingsError, match=r"client is a str, not a Client: pass an object with .* chat model; see"):
        as_client(name)


def test_the_checks_import_no_langchain() -> None:
    code = "import egrm_graph.conformance, sys; print([name for name in sys.modules if 'langchain' in name])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
