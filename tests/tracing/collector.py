"""A local LangSmith server that stores what it receives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langchain_core.tracers import LangChainTracer
from langsmith import Client


class Collector:
    """The received runs with their latest values."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.runs: dict[str, dict[str, Any]] = {}

    def client(self) -> Client:
        """A client that sends every run immediately."""
        return Client(self.url, api_key="none", auto_batch_tracing=False)

    def tracer(self) -> LangChainTracer:
        return LangChainTracer(client=self.client(), project_name="tests")

    def named(self, name: str) -> dict[str, Any]:
        """The only run with this name."""
        (run,) = [run for run in self.runs.values() if run["name"] == name]
        return run

    def under(self, name: str) -> list[str]:
        """The names of the run's direct children, in order."""
        parent = self.named(name)["id"]
        below = [run for run in self.runs.values() if run.get("parent_run_id") == parent]
        return [run["name"] for run in sorted(below, key=lambda run: str(run["dotted_order"]))]

    def receive(self, path: str, body: dict[str, Any]) -> None:
        run_id = str(body.get("id") or path.rsplit("/", 1)[1])
        present = {name: value for name, value in body.items() if value is not None}
        self.runs[run_id] = {**self.runs.get(run_id, {}), **present}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            collector.receive(self.path, json.loads(body or b"{}"))
            self._reply({})

        def do_PATCH(self) -> None:
            self.do_POST()

        def do_GET(self) -> None:
            self._reply({})

        def _reply(self, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
