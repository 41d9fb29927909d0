"""Real vLLM servers for all tests of this folder: one with the bundled model, one with its scorer."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_JUDGE, BUNDLED_MODEL, BUNDLED_SCORER

START_S = 240.0


def model_folder() -> Path:
    """The model that the server serves."""
    return bundled(BUNDLED_MODEL)


def with_spoiling_defaults(model: Path, folder: Path) -> Path:
    """A copy of the model whose own sampling defaults would spoil every sample if vLLM used them."""
    shutil.copytree(model, folder)
    defaults = {"do_sample": True, "temperature": 0.01, "top_k": 1, "top_p": 0.1, "repetition_penalty": 1.5}
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(config | defaults))
    return folder


def without_server(reason: str) -> None:
    """Skips a test of a real server with a message that cannot be missed, and fails it in CI."""
    message = f"NO REAL vLLM SERVER WAS TESTED: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@dataclass(frozen=True)
class Served:
    """A server that `egrm serve-model` started."""

    name: str
    base_url: str
    log_path: Path
    to_use_it: str
    """The command that it printed."""


@contextmanager
def serving(model: str, name: str, folder: Path, *vllm_options: str) -> Iterator[Served]:
    """`egrm serve-model`, as a user starts it, with its output in `folder`."""
    python = os.environ.get("EGRM_VLLM_PYTHON")
    if not python:
        without_server("EGRM_VLLM_PYTHON names no interpreter that has vLLM; `make test` installs one")
        raise AssertionError
    said = folder / "stderr.txt"
    command = [sys.executable, "-m", "egrm_graph", "serve-model", model, "--port", "0", "--python", python]
    with (
        said.open("w") as stderr,
        subprocess.Popen(
            [*command, "--timeout-s", str(START_S), "--stop-with-parent", "--", *vllm_options],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        served = re.match(rf"{name} is served at (\S+)\. To use it:", process.stdout.readline())
        try:
            if served is None:
                process.wait(30)
                print(said.read_text())
                without_server(said.read_text().strip().splitlines()[-1])
            else:
                log = re.search(r"its log is (\S+)", said.read_text())
                assert log is not None
                yield Served(name, served[1], Path(log[1]), process.stdout.readline().strip())
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The bundled model behind vLLM, until the last test is done."""
    folder = tmp_path_factory.mktemp("vllm")
    model = with_spoiling_defaults(model_folder(), folder / BUNDLED_MODEL)
    with serving(str(model), BUNDLED_MODEL, folder, "--enable-log-requests") as served:
        yield served


@pytest.fixture(scope="session")
def real_scorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The bundled scorer behind vLLM, until the last test is done."""
    with serving(BUNDLED_SCORER, BUNDLED_SCORER, tmp_path_factory.mktemp("vllm-scorer")) as served:
        yield served


@pytest.fixture(scope="session")
def real_judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The bundled judge behind vLLM, until the last test is done."""
    with serving(BUNDLED_JUDGE, BUNDLED_JUDGE, tmp_path_factory.mktemp("vllm-judge")) as served:
        yield served
