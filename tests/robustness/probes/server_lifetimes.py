"""Whether a server and its child processes end with the program that started it. A shell script replaces vLLM."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

SERVER = """#!/bin/sh
if [ "$1" = -c ]; then echo '{"vllm": true, "gpu": false, "cores": 2, "bfloat16": false}'; exit; fi
%s
sleep 300 &
echo $$ $! $PPID > started.part
mv started.part started
wait
sleep 300
"""
START = """
import os, sys, time
from egrm_graph.serving.vllm_server import start
server = start("model", name="tiny", port=0, python="./python")
if "drop" in sys.argv:
    del server
while not os.path.exists("started"):
    time.sleep(0.01)
if "fork" in sys.argv and os.fork() == 0:
    if "leave" in sys.argv:
        with server:
            sys.exit()
    time.sleep(5)
    os._exit(0)
time.sleep(60)
"""
RUN = """
import signal, subprocess, sys
for sign in (signal.SIGINT, signal.SIGHUP):
    signal.signal(sign, signal.SIG_DFL)
subprocess.Popen(sys.argv[2:], start_new_session=sys.argv[1] == "session").wait()
"""
GRACE_S = 1.2
"""Seconds after which a server that still runs counts as running on. One that ignores SIGTERM is killed two seconds
later."""


def outcome(given: dict[str, Any]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), deaf=given.get("deaf", False))
        command = _command(given["program"], given.get("options", []))
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TMPDIR": folder}
        with subprocess.Popen(
            command, cwd=folder, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as program:
            egrm = program.pid
            try:
                server, child, egrm = _started(Path(folder) / "started")
                ended = {"program": [program.pid], "egrm": [egrm], "everything": [program.pid, egrm], "nothing": []}
                for process in ended[given["ends"]]:
                    os.kill(process, getattr(signal, given["by"]))
                grace_s = GRACE_S + (2 if given.get("deaf") else 0)
                return _outcome([server, child, *([] if egrm == program.pid else [egrm])], grace_s)
            finally:
                program.kill()
                with suppress(ProcessLookupError):
                    os.kill(egrm, signal.SIGTERM if egrm != program.pid else signal.SIGKILL)


def _write(folder: Path, *, deaf: bool) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    (folder / "python").write_text(SERVER % ("trap '' TERM INT" if deaf else ""))
    (folder / "python").chmod(0o755)


def _command(program: list[str], options: list[str]) -> list[str]:
    kind, *how = program
    if kind == "start":
        return [sys.executable, "-c", START, *how]
    serve = [sys.executable, "-m", "egrm_graph", "serve-model", "model", "--port", "0", "--python", "./python"]
    if kind == "sh":
        return ["sh", "-c", how[0], "sh", *serve, *options]
    return [sys.executable, "-c", RUN, *(how or ["group"]), *serve, *options]


def _started(path: Path) -> tuple[int, int, int]:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    server, child, egrm = map(int, path.read_text().split())
    return server, child, egrm


def _outcome(processes: list[int], grace_s: float) -> str:
    """`exits` as soon as all have ended; `keeps running` if none has ended after a while."""
    started = time.monotonic()
    while living := [process for process in processes if _lives(process)]:
        waited_s = time.monotonic() - started
        if waited_s > grace_s and len(living) == len(processes):
            return "keeps running"
        if waited_s > 15:
            return f"{len(living)} of {len(processes)} processes keep running"
        time.sleep(0.02)
    return "exits"


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
