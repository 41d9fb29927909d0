"""What vLLM is started with: its flags and its environment, for a generator or for a scorer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
CPU_CONTEXT_MOST = 8192
"""Without a GPU, a longer context would not fit the cache that these servers get."""


def flags(model: str, folder: Path | None, name: str, port: int, *, gpu: bool) -> list[str]:
    """vLLM's command line, for a local `folder` or for the hub's `model`."""
    scorer = folder is not None and is_scorer(folder)
    context = None if folder is None else _context(folder)
    given = ["--model", str(folder or model), "--served-model-name", name, "--host", HOST, "--port", str(port)]
    # Without the latter, usage has no cached tokens.
    given += ["--runner", "pooling"] if scorer else ["--enable-prompt-tokens-details"]
    if not gpu:
        given += ["--dtype", "float32", "--enforce-eager"]
        given += ["--max-model-len", str(min(context or CPU_CONTEXT_MOST, CPU_CONTEXT_MOST))]
        if not scorer:
            # A prompt that is read in parts takes back what was sampled after the first, which vLLM 0.32 cannot do with
            # a seed on a CPU: the server dies of it.
            given += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", str(CPU_CONTEXT_MOST)]
        return given
    if folder is not None and scorer and _stored_dtype(folder) != "bfloat16":
        given += ["--dtype", "float32"]  # in vLLM's 16 bits, scores would be off by more than a hundredth
    if context is not None and (scorer or context < CPU_CONTEXT_MOST):
        given += ["--max-model-len", str(context)]
    return given


def environment(folder: Path | None, *, gpu: bool, cores: int) -> dict[str, str]:
    """This process's environment, with defaults for what it does not set."""
    on_cpu = {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        # Each server would bind its threads to the same cores, and of two servers one would stall. Where it does not
        # bind them, it also does not count them: as many as it would bind, which leaves a core to its scheduler.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(max(1, cores - 1)),
        # Without this, the first request for log-probabilities waits for a C++ compiler, or fails without one.
        "TORCH_COMPILE_DISABLE": "1",
    }
    defaults = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "PYTHONSAFEPATH": "1",  # a folder here that is called like one of vLLM's imports must not be taken for it
        **({} if gpu else on_cpu),
        **({} if folder is None else {"HF_HUB_OFFLINE": "1"}),
    }
    return {**defaults, **os.environ}


def is_scorer(folder: Path) -> bool:
    """Whether the model there is a sequence classifier with one label."""
    config = _read(folder / "config.json")
    labels = config.get("num_labels", len(config.get("id2label") or ("LABEL_0", "LABEL_1")))
    architectures = config.get("architectures") or []
    return labels == 1 and any(str(name).endswith("ForSequenceClassification") for name in architectures)


def _stored_dtype(folder: Path) -> object:
    config = _read(folder / "config.json")
    return config.get("dtype", config.get("torch_dtype"))


def _context(folder: Path) -> int | None:
    """Tokens that the model and its tokenizer can read, where they say so."""
    told = (
        _read(folder / "config.json").get("max_position_embeddings"),
        _read(folder / "tokenizer_config.json").get("model_max_length"),
    )
    return min((tokens for tokens in told if isinstance(tokens, int)), default=None)


def _read(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_bytes())
    except (OSError, ValueError):  # vLLM itself says what is wrong with it
        return {}
    return read if isinstance(read, dict) else {}
