"""A new engine is a client in one file, and one entry in the table of engines; telemetry has its name from there."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from egrm_graph.clients import engines
from egrm_graph.clients.client import Client
from egrm_graph.clients.engines import ENGINES, ModelEngine
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.parts import assemble
from egrm_graph.settings import Settings


def load(settings: Settings) -> Client:
    return ScriptedClient(fast=["65"] * 5, name=settings.model)


SGLANG = ModelEngine("sglang", load, lambda _: "sglang", has_endpoint=True)


async def test_an_engine_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    table: Mapping[str, ModelEngine] = MappingProxyType({**ENGINES, "sglang": SGLANG})
    monkeypatch.setattr(engines, "ENGINES", table)
    settings = Settings(engine="vllm", model="mine", task="answer").model_copy(update={"engine": "sglang"})
    parts = assemble(settings, scorer=None)
    assert (parts.client.name, SGLANG.system(settings)) == ("mine", "sglang")
