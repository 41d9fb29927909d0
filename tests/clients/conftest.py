from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from egrm_graph.clients.embedded import EmbeddedClient
from tests.clients.untrained import (
    save_model,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[EmbeddedClient]:
    client = EmbeddedClient.load(folder)
    yield client
    await client.aclose()
