"""An OTLP receiver on this machine, over HTTP, which keeps the spans that it is sent."""

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
    """The spans that came in."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1/traces"
        self.spans: list[Span] = []
        self._more = threading.Condition()

    def took(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._more:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    self.spans += scope.spans
            self._more.notify_all()

    def of_trace(self, trace_id: str, count: int, timeout_s: float = 30.0) -> list[Span]:
        """The spans of that trace, as soon as there are so many."""
        until = time.monotonic() + timeout_s
        with self._more:
            while True:
                found = [span for span in self.spans if span.trace_id.hex() == trace_id]
                left_s = until - time.monotonic()
                if len(found) >= count or left_s <= 0:
                    return found
                self._more.wait(left_s)


def attributes_of(span: Span) -> dict[str, Any]:
    """The attributes that are plain values."""
    kinds = {each.key: each.value.WhichOneof("value") for each in span.attributes}
    return {each.key: getattr(each.value, kinds[each.key] or "string_value") for each in span.attributes}


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens until this is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.took(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
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
