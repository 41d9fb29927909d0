"""The variables about threads that a server on this machine gets. A shell script replaces vLLM and prints them."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from egrm_graph.serving.vllm_server import start

NAMES = ("VLLM_CPU_OMP_THREADS_BIND", "OMP_NUM_THREADS")
SCRIPT = """#!/bin/sh
if [ "$1" = -c ]; then echo '%s'; else env; fi
"""


def outcome(given: dict[str, Any]) -> dict[str, str]:
    unset = {name: value for name, value in os.environ.items() if name not in NAMES}
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, unset | given["set"], clear=True):
        python = Path(folder) / "python"
        found = {"vllm": True, "gpu": given["gpu"], "cores": given["cores"], "bfloat16": False}
        python.write_text(SCRIPT % json.dumps(found))
        python.chmod(0o755)
        (Path(folder) / "config.json").write_text("{}")
        log = Path(folder) / "log"
        with start(folder, name="tiny", port=0, python=str(python), log_path=log) as server:
            server.process.wait()
        variables = dict(line.split("=", 1) for line in log.read_text().splitlines() if "=" in line)
    return {name: variables[name] for name in NAMES if name in variables}
