"""A local OTLP receiver over HTTP that stores the spans it receives."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Receiver:
    """The received spans."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1/traces"
        self.spans: list[Span] = []
        self._more = threading.Condition()

    def receive(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._more:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    self.spans += scope.spans
            self._more.notify_all()

    def of_trace(self, trace_id: str, count: int, timeout_s: float = 30.0) -> list[Span]:
        """Wait for `count` spans of the trace and return them."""
        until = time.monotonic() + timeout_s
        with self._more:
            while True:
                found = [span for span in self.spans if span.trace_id.hex() == trace_id]
                left_s = until - time.monotonic()
                if len(found) >= count or left_s <= 0:
                    return found
                self._more.wait(left_s)


def attributes_of(span: Span) -> dict[str, Any]:
    """The attributes with scalar values."""
    kinds = {pair.key: pair.value.WhichOneof("value") for pair in span.attributes}
    return {pair.key: getattr(pair.value, kinds[pair.key] or "string_value") for pair in span.attributes}


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.receive(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
