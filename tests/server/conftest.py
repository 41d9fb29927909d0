"""Real vLLM servers for the tests of this folder: the bundled model, its scorer, the bundled judge, and a real language
model."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_JUDGE, BUNDLED_MODEL, BUNDLED_SCORER
from tests.smollm2 import NAME as LANGUAGE_MODEL
from tests.tracing.otlp import Receiver, receiving

START_S = 240.0
SERVERS = {
    "real_judge": BUNDLED_JUDGE,
    "real_language_model": LANGUAGE_MODEL,
    "real_scorer": BUNDLED_SCORER,
    "real_server": BUNDLED_MODEL,
    "real_step_scorer": BUNDLED_SCORER,
    "receiver": BUNDLED_MODEL,
}
"""The model behind each fixture that needs a server."""


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


def language_model_folder() -> Path:
    """The folder with the real language model."""
    folder = Path(os.environ.get("EGRM_MODELS", "")) / LANGUAGE_MODEL
    if "EGRM_MODELS" not in os.environ or not folder.is_dir():
        without_server(f"EGRM_MODELS names no folder with {LANGUAGE_MODEL}; `make test` unpacks it")
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


@dataclass(frozen=True)
class Starting:
    """A server that `egrm serve-model` is starting."""

    name: str
    process: subprocess.Popen[str]
    errors: Path
    """The file with its standard error."""

    def wait(self) -> Served:
        """Wait until it serves. Skip the test, or fail it under CI, if it cannot."""
        assert self.process.stdout is not None
        served = re.match(rf"{self.name} is served at (\S+)\. To use it:", self.process.stdout.readline())
        if served is None:
            self.process.wait(30)
            print(self.errors.read_text())
            without_server(self.errors.read_text().strip().splitlines()[-1])
            raise AssertionError
        log = re.search(r"its log is (\S+)", self.errors.read_text())
        assert log is not None
        return Served(self.name, served[1], Path(log[1]), self.process.stdout.readline().strip())


@contextmanager
def starting(
    model: str, name: str, folder: Path, *vllm_options: str, own: tuple[str, ...] = (), **variables: str
) -> Iterator[Starting]:
    """`egrm serve-model`, started as a user does, with its standard error in `folder` and these variables added. `own`
    are options of the command itself."""
    python = os.environ.get("EGRM_VLLM_PYTHON")
    if not python:
        without_server("EGRM_VLLM_PYTHON names no interpreter that has vLLM; `make test` installs one")
        raise AssertionError
    errors = folder / "stderr.txt"
    command = [sys.executable, "-m", "egrm_graph", "serve-model", model, "--port", "0", "--python", python]
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [*command, "--timeout-s", str(START_S), "--stop-with-parent", *own, "--", *vllm_options],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=os.environ | variables,
        ) as process,
    ):
        try:
            yield Starting(name, process, errors)
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """What takes the spans of the server that sends them."""
    with receiving() as found:
        yield found


@pytest.fixture(scope="session")
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Starting]]:
    """The servers that the collected tests use, by fixture. All start at the same time and run until the last test."""
    used = {fixture for item in request.session.items for fixture in getattr(item, "fixturenames", ())}
    folders = {fixture: tmp_path_factory.mktemp(fixture) for fixture in sorted(used & set(SERVERS))}
    with ExitStack() as stack:
        found = {}
        for fixture, folder in folders.items():
            name, options, environment = SERVERS[fixture], list[str](), dict[str, str]()
            model = name
            if fixture == "real_server":
                model, options = str(with_spoiling_defaults(model_folder(), folder / name)), ["--enable-log-requests"]
            elif fixture == "real_language_model":
                # The same arithmetic as in this process, so that both write the same text.
                model, options = str(language_model_folder()), ["--dtype", "float32"]
            elif fixture == "receiver":
                found_receiver: Receiver = request.getfixturevalue("receiver")
                options = ["--otlp-traces-endpoint", found_receiver.url]
                environment = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_BSP_SCHEDULE_DELAY": "200"}
            own = ("--steps",) if fixture == "real_step_scorer" else ()
            found[fixture] = stack.enter_context(starting(model, name, folder, *options, own=own, **environment))
        yield found


@pytest.fixture(scope="session")
def real_server(started: dict[str, Starting]) -> Served:
    """The bundled model behind vLLM."""
    return started["real_server"].wait()


@pytest.fixture(scope="session")
def real_scorer(started: dict[str, Starting]) -> Served:
    """The bundled scorer behind vLLM."""
    return started["real_scorer"].wait()


@pytest.fixture(scope="session")
def real_step_scorer(started: dict[str, Starting]) -> Served:
    """The bundled scorer behind vLLM, with a score at each token."""
    return started["real_step_scorer"].wait()


@pytest.fixture(scope="session")
def real_judge(started: dict[str, Starting]) -> Served:
    """The bundled judge behind vLLM."""
    return started["real_judge"].wait()


@pytest.fixture(scope="session")
def real_language_model(started: dict[str, Starting]) -> Served:
    """SmolLM2-135M-Instruct behind vLLM."""
    return started["real_language_model"].wait()
