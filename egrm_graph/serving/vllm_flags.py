"""The command-line flags and the environment of a vLLM server, for a generator or a scorer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from egrm_graph.scoring.step_profile import reads_both_ways

HOST = "127.0.0.1"
CPU_CONTEXT_MOST = 8192
"""Without a GPU, a longer context does not fit the cache that these servers get."""
CPU_CACHE_BLOCK_TOKENS = 32
"""vLLM caches only whole blocks of a prompt. On a CPU, its default of 128 tokens is longer than many prompts, and its
attention kernels take only multiples of 32."""


def flags(
    model: str, folder: Path | None, name: str, port: int, *, gpu: bool, cpu_bfloat16: bool, steps: bool = False
) -> list[str]:
    """vLLM's flags for a local `folder`, or for the `model` from the hub.

    `cpu_bfloat16` says whether the processor has instructions for it, without which it is slower than float32. With
    `steps`, a scorer gives a score at each token; one that was trained on steps always does. An encoder never does: it
    reads a text for each step.
    """
    scorer = folder is not None and is_scorer(folder)
    context = None if folder is None else _context(folder)
    arguments = ["--model", str(folder or model), "--served-model-name", name, "--host", HOST, "--port", str(port)]
    # Without the second flag, usage has no cached tokens.
    arguments += ["--runner", "pooling"] if scorer else ["--enable-prompt-tokens-details"]
    if folder is not None and scorer and (steps or _trained_on_steps(folder)) and not is_encoder(folder):
        arguments += ["--pooler-config", json.dumps({"task": "token_classify"})]
    if not gpu:
        # A model from the hub is taken to be stored as most are.
        bfloat16 = cpu_bfloat16 and not scorer and (folder is None or _stored_dtype(folder) == "bfloat16")
        arguments += ["--dtype", "bfloat16" if bfloat16 else "float32", "--enforce-eager"]
        arguments += ["--max-model-len", str(min(context or CPU_CONTEXT_MOST, CPU_CONTEXT_MOST))]
        if not scorer:
            # If a prompt is read in chunks, vLLM discards what it sampled after the first. vLLM 0.32 cannot do that
            # with a seed on a CPU: the server crashes.
            arguments += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", str(CPU_CONTEXT_MOST)]
            arguments += ["--block-size", str(CPU_CACHE_BLOCK_TOKENS)]
        return arguments
    if folder is not None and scorer and _stored_dtype(folder) != "bfloat16":
        arguments += ["--dtype", "float32"]  # with vLLM's 16 bits, scores would be wrong by more than 0.01
    if context is not None and (scorer or context < CPU_CONTEXT_MOST):
        arguments += ["--max-model-len", str(context)]
    return arguments


def environment(folder: Path | None, *, gpu: bool, cores: int) -> dict[str, str]:
    """This process's environment, with defaults for the variables that it does not set."""
    on_cpu = {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        # Every server would bind its threads to the same cores, and one of two servers would stall. Without binding,
        # vLLM does not set the number of threads either. Set the number it would bind: one core is left for the
        # scheduler. Next to other work, a thread on every core is slower: each waits busily for the one
        # that is preempted.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(max(1, cores - 1)),
        # Otherwise the first request for log-probabilities waits for a C++ compiler, or fails without one.
        "TORCH_COMPILE_DISABLE": "1",
    }
    defaults = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "PYTHONSAFEPATH": "1",  # a folder here with the name of one of vLLM's imports must not replace it
        **({} if gpu else on_cpu),
        **({} if folder is None else {"HF_HUB_OFFLINE": "1"}),
    }
    return {**defaults, **os.environ}


def is_scorer(folder: Path) -> bool:
    """Whether the folder has a sequence classifier with one label."""
    config = _read(folder / "config.json")
    labels = config.get("num_labels", len(config.get("id2label") or ("LABEL_0", "LABEL_1")))
    architectures = config.get("architectures") or []
    return labels == 1 and any(str(name).endswith("ForSequenceClassification") for name in architectures)


def is_encoder(folder: Path) -> bool:
    """Whether the tokens of the model in the folder see those that follow them."""
    return reads_both_ways(_read(folder / "config.json"))


def _trained_on_steps(folder: Path) -> bool:
    return _read(folder / "egrm.json").get("steps") is not None


def _stored_dtype(folder: Path) -> object:
    config = _read(folder / "config.json")
    return config.get("dtype", config.get("torch_dtype"))


def _context(folder: Path) -> int | None:
    """The context in tokens, from the model and its tokenizer; None if neither says."""
    limits = (
        _read(folder / "config.json").get("max_position_embeddings"),
        _read(folder / "tokenizer_config.json").get("model_max_length"),
    )
    return min((tokens for tokens in limits if isinstance(tokens, int)), default=None)


def _read(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_bytes())
    except (OSError, ValueError):  # vLLM reports what is wrong with it
        return {}
    return read if isinstance(read, dict) else {}
