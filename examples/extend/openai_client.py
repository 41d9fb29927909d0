"""Any OpenAI-compatible server, with only its base URL. A stand-in server runs here, so that the example works offline.

For a server that speaks another API, pass an object that satisfies `egrm_graph.clients.client.Client` as `client=...`.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from egrm_graph import Settings, build_graph


class StandIn(BaseHTTPRequestHandler):
    """Answers every chat with 205."""

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": "\\boxed{205}"}
        choices = [{"index": i, "message": message, "finish_reason": "stop"} for i in range(body.get("n", 1))]
        usage = {"prompt_tokens": 30, "completion_tokens": 5 * len(choices)}
        reply = json.dumps({"choices": choices, "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: Any) -> None: ...


server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
Thread(target=server.serve_forever, daemon=True).start()
graph = build_graph(Settings(model="any-model", base_url=(f"http://127.0.0.1:{server.server_port}/v1",)))
question = "A train leaves at 9:40 and arrives at 13:05. How many minutes does it take?"
print(graph.invoke({"question": question})["verification"]["answer"])
server.shutdown()
server.server_close()
