"""The base installation, without torch, against a real vLLM server."""

from pathlib import Path

import pytest

from tests.light_environment import ASK, output
from tests.server.conftest import Served

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(600)]


async def test_a_question_is_answered_without_torch(light_python: Path, real_server: Served) -> None:
    code = ASK.format(url=real_server.base_url, model=real_server.name, others="scorer=None", question="17+48")
    assert await output(light_python, code) == "65 ok direct"
