"""The graph behind a real `langgraph dev`, over HTTP, MCP, and A2A."""

import ast
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from egrm_graph.tracing.store_reading import records

ROOT = Path(__file__).parent.parent
START_S = 120


@pytest.fixture(scope="module")
def dev_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("langgraph") / "dev.log") as url:
        yield url


@contextmanager
def serving(log: Path, **variables: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [Path(sys.executable).parent / "langgraph", "dev", "--port", str(port)]
    options = ["--no-browser", "--no-reload", "--config", str(ROOT / "langgraph.json")]
    environment = {**os.environ, "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false", **variables}
    with log.open("w") as output:
        process = subprocess.Popen(
            [*map(str, command), *options],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail(f"langgraph dev did not start:\n{log.read_text()[-3000:]}")


async def post(url: str, body: dict[str, Any]) -> Any:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_question_is_answered_over_http(dev_server: str) -> None:
    body: dict[str, Any] = {"assistant_id": "egrm", "input": {"question": "17+48", "reference": "65"}}
    out = await post(f"{dev_server}/runs/wait", body)
    assert list(out) == ["verification"]
    assert (out["verification"]["answer"], out["verification"]["correct"]) == ("65", True)
    always = {**body, "context": {"threshold": 2.0}}
    assert (await post(f"{dev_server}/runs/wait", always))["verification"]["route"] == "reasoned"


async def mcp(url: str, method: str, **params: Any) -> Any:
    """The result of a request that an MCP client sends over streamable HTTP."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = {"Accept": "application/json, text/event-stream"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(f"{url}/mcp", json=body) as answer:
        assert answer.status == 200, await answer.text()
        return (await answer.json())["result"]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_server_with_a_judging_task_judges_candidates_over_http(tmp_path: Path) -> None:
    said = {"role": "assistant", "content": [{"type": "text", "text": " 65 "}]}
    inputs = {"question": "17+48", "candidates": ["65", said]}
    store = tmp_path / "runs.db"
    with serving(
        tmp_path / "dev.log", EGRM_TASK="pairwise", EGRM_TRACE_LEVEL="full", EGRM_TRACE_STORE=str(store)
    ) as url:
        out = await post(f"{url}/runs/wait", {"assistant_id": "egrm", "input": inputs})
    result = out["verification"]
    (record,) = records(store)
    assert record["verification"] == result
    assert (record["settings"]["task"], record["sources"]["task"]) == ("pairwise", "build")
    assert (result["answer"], result["winner"], result["rewards"], result["status"]) == (
        "tie",
        None,
        [None, None],
        "ok",
    )
    assert result["reasons"] == ["all candidates are equal; nothing had to be judged"]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_mcp_client_finds_the_graph_as_a_tool(dev_server: str) -> None:
    client = {"name": "test", "version": "1"}
    begun = await mcp(dev_server, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=client)
    assert (begun["protocolVersion"], "tools" in begun["capabilities"]) == ("2025-06-18", True)
    [tool] = (await mcp(dev_server, "tools/list"))["tools"]
    assert tool["name"] == "egrm"
    assert tool["description"].startswith("Answers a question with a verified answer")
    fields = tool["inputSchema"]["properties"]
    assert {kind["type"] for kind in fields.pop("reference")["anyOf"]} == {"string", "number", "boolean"}
    texts = {"question": "string", "messages": "string", "rubric": "string"}
    assert {name: field["type"] for name, field in fields.items()} == {**texts, "candidates": "array", "tools": "array"}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["question", "messages"])
async def test_a_question_is_answered_over_mcp(dev_server: str, name: str) -> None:
    called = await mcp(dev_server, "tools/call", name="egrm", arguments={name: "17+48"})
    [content] = called["content"]
    # The server writes the output as a Python literal, not as JSON.
    assert ast.literal_eval(content["text"])["verification"]["answer"] == "65"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_bad_question_over_mcp_is_an_error(dev_server: str) -> None:
    called = await mcp(dev_server, "tools/call", name="egrm", arguments={"question": "who?"})
    assert called == {"isError": True, "content": [{"type": "text", "text": "InputError"}]}


async def a2a(url: str, *parts: dict[str, Any], context: str | None = None) -> Any:
    """The task that results from a message of an A2A client."""
    [assistant] = await post(f"{url}/assistants/search", {"graph_id": "egrm"})
    message = {"role": "user", "messageId": "1", "parts": parts, **({"contextId": context} if context else {})}
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": message}}
    return (await post(f"{url}/a2a/{assistant['assistant_id']}", body))["result"]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_message_of_an_a2a_client_is_a_separate_question(dev_server: str) -> None:
    first = await a2a(dev_server, {"kind": "text", "text": "17+48"})
    second = await a2a(dev_server, {"kind": "text", "text": "17+48-9"}, context=first["contextId"])
    for task, answer in ((first, "65"), (second, "56")):
        assert task["status"]["state"] == "completed"
        assert [part["text"] for artifact in task["artifacts"] for part in artifact["parts"]] == [answer]
    assert second["contextId"] == first["contextId"]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_a2a_client_that_sends_a_picture_is_refused(dev_server: str) -> None:
    picture = {"kind": "file", "file": {"name": "sum.png", "mimeType": "image/png", "bytes": "aGk="}}
    task = await a2a(dev_server, {"kind": "text", "text": "17+48"}, picture)
    assert task["status"]["state"] == "failed"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_request_on_the_page_about_deploying_is_answered(dev_server: str) -> None:
    page = (ROOT / "docs" / "guides" / "deploy.md").read_text()
    [pasted] = re.findall(r"```sh\n(curl .*?)```", page, re.DOTALL)
    curl = shlex.split(pasted.replace("\\\n", ""))
    [url] = [word for word in curl if word.startswith("http://localhost:2024")]
    body = json.loads(curl[curl.index("-d") + 1])
    result = (await post(url.replace("http://localhost:2024", dev_server), body))["verification"]
    assert (result["answer"], result["correct"], result["uncertainty"]["planned"]) == ("65", True, 7)
