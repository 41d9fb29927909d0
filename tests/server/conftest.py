"""One real vLLM server for all tests of this folder."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from egrm_graph.clients.serve import Server, start
from egrm_graph.errors import EgrmError
from egrm_graph.parts import bundled
from egrm_graph.settings import BUNDLED_MODEL

START_S = 240.0


def model_folder() -> Path:
    """The model that the server serves."""
    return bundled(BUNDLED_MODEL)


def with_defaults_of_its_own(model: Path, folder: Path) -> Path:
    """A copy of the model whose own sampling defaults would spoil every sample, if they were to count."""
    shutil.copytree(model, folder)
    defaults = {"do_sample": True, "temperature": 0.01, "top_k": 1, "top_p": 0.1, "repetition_penalty": 1.5}
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(config | defaults))
    return folder


def without_server(reason: str) -> None:
    """No test of a real server may go missing unnoticed, and none may on a machine that is to prove the work."""
    message = f"NO REAL vLLM SERVER WAS TESTED: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    python = os.environ.get("EGRM_VLLM_PYTHON")
    if not python:
        without_server("EGRM_VLLM_PYTHON names no interpreter that has vLLM; `make test` installs one")
    folder = tmp_path_factory.mktemp("vllm")
    try:
        server = start(
            str(with_defaults_of_its_own(model_folder(), folder / BUNDLED_MODEL)),
            name=BUNDLED_MODEL,
            port=0,
            python=python,
            extra_args=["--enable-log-requests"],
            log_path=folder / "server.log",
        )
    except EgrmError as error:
        without_server(str(error))
        raise
    with server:
        try:
            server.wait(START_S)
        except EgrmError as error:
            print(error)
            without_server(str(error).splitlines()[0])
        yield server
