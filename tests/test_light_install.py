"""`pip install egrm-graph` without extras, in a real environment with nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.runtime.extras import EXTRAS
from egrm_graph.settings import BUNDLED_SCORER
from tests.clients.fake_server import FakeServer, Seen, answer
from tests.light_environment import ASK, BUILD, output

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OPTIONAL = sorted({module for modules in EXTRAS.values() for module in modules})

SERVED = "engine='vllm', model='tiny'"


@pytest.fixture
async def half_server() -> AsyncIterator[FakeServer]:
    """A server whose samples write one value in several forms, which only a math parser finds equal."""
    forms = (
        r"\boxed{\frac{\sqrt{2}}{2}}",
        r"\boxed{\frac{1}{\sqrt{2}}}",
        r"\boxed{\sin(\pi/4)}",
        r"\boxed{2^{-1/2}}",
    )

    async def act(seen: Seen) -> web.Response:
        n = seen.body["n"]
        return web.json_response(answer(*(forms * n)[:n]))

    async with FakeServer(act).running() as server:
        yield server


async def test_no_optional_package_is_installed(light_python: Path) -> None:
    code = f"from importlib.util import find_spec; print([m for m in {OPTIONAL} if find_spec(m)])"
    assert await output(light_python, code) == "[]"


async def test_a_question_is_answered_behind_a_server(light_python: Path, half_server: FakeServer) -> None:
    code = ASK.format(url=half_server.url, model="tiny", others="", question="What is the sine of 45 degrees?")
    assert await output(light_python, code) == r"\frac{\sqrt{2}}{2} ok direct"


@pytest.mark.parametrize(
    ("settings", "extra", "missing"),
    [
        ("", "local", "torch and transformers"),
        ("engine='vllm', model='egrm-tiny'", "local", "torch and transformers"),
        (
            f"{SERVED}, scorer={str(bundled(BUNDLED_SCORER))!r}, scorer_url='http://localhost/v1'",
            "scorer",
            "tokenizers",
        ),
        (f"{SERVED}, trace_level='full'", "trace", "sqlalchemy"),
        ("engine='chat_model', model='openai:gpt-5'", "agents", "langchain"),
    ],
)
async def test_a_missing_extra_is_named_when_the_graph_is_built(
    light_python: Path, settings: str, extra: str, missing: str
) -> None:
    message = await output(light_python, BUILD.format(settings), fails=True)
    assert message.startswith("egrm_graph.errors.MissingExtra: ")
    assert missing in message
    assert message.endswith(f"pip install 'egrm-graph[{extra}]'")


async def test_runs_are_recorded_as_json_lines_without_an_extra(
    light_python: Path, half_server: FakeServer, tmp_path: Path
) -> None:
    others = f"trace_level='full', trace_store={str(tmp_path / 'runs')!r}"
    code = ASK.format(url=half_server.url, model="tiny", others=others, question="What is the sine of 45 degrees?")
    await output(light_python, code)
    (line,) = [line for file in (tmp_path / "runs").rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert json.loads(line)["model"] == "tiny"


async def test_the_command_line_names_its_extra(light_python: Path) -> None:
    egrm = await asyncio.create_subprocess_exec(
        light_python.with_name("egrm"), "--help", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await egrm.communicate()
    assert (egrm.returncode, out) == (2, b"")
    assert err.decode().strip().endswith("pip install 'egrm-graph[cli]'")
