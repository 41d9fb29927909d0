"""A local Arize Phoenix: an OpenTelemetry backend that receives spans by OTLP and returns them by REST."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = "openinference.project.name"
"""The resource attribute that assigns spans to a Phoenix project."""
START_S = 240.0


@dataclass(frozen=True)
class Phoenix:
    """A running server."""

    url: str

    @property
    def traces_url(self) -> str:
        return f"{self.url}/v1/traces"

    def spans(self, project: str, trace_id: str | None, count: int, timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """Wait for `count` spans, of one trace or of all, and return them."""
        until = time.monotonic() + timeout_s
        while True:
            found = self._get(f"/v1/projects/{project}/spans?limit=1000")
            spans = [span for span in found if trace_id is None or span["context"]["trace_id"] == trace_id]
            if len(spans) >= count or time.monotonic() > until:
                return spans
            time.sleep(0.25)

    def _get(self, path: str) -> list[dict[str, Any]]:
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(self.url + path) as response:
            found: list[dict[str, Any]] = json.load(response)["data"]
            return found
        return []  # a project does not exist before its first span


@contextmanager
def started(python: str, folder: Path) -> Iterator[Phoenix]:
    """Start a server with its own database and no network access."""
    port, grpc_port = _free_ports()
    settings = {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc_port),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    log = folder / "phoenix.log"
    command = [python, "-m", "phoenix.server.main", "serve"]
    without_ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env={**without_ours, **settings}, stdout=output, stderr=subprocess.STDOUT, cwd=folder
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process, log)
            yield Phoenix(url)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/healthz"):
            return
        time.sleep(0.25)
    raise AssertionError(f"Phoenix does not answer:\n{log.read_text()[-2000:]}")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
