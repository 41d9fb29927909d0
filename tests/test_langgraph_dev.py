"""The graph behind the real `langgraph dev`: asked over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).parent.parent
START_S = 120


@pytest.fixture(scope="module")
def dev_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("langgraph") / "dev.log"
    command = [Path(sys.executable).parent / "langgraph", "dev", "--port", str(port)]
    options = ["--no-browser", "--no-reload", "--config", str(ROOT / "langgraph.json")]
    environment = {**os.environ, "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false"}
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
