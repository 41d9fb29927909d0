"""Round the linear layers of a model to eight bits, so that vLLM reads and writes faster on a CPU.

    python examples/studies/eight_bits.py MODEL_FOLDER --output MODEL_FOLDER-W8A8

Weights are rounded to the nearest of 255 levels, one scale for each output channel; vLLM rounds the activations of each
token as they come. That is the scheme W8A8 of compressed-tensors, without calibration data. Embeddings, norms, biases,
and the output layer are copied. For a model that you keep, use llm-compressor, which also corrects the rounding.

Use it on a CPU with VNNI or AMX. On others, vLLM's products of eight bits can saturate, which adds to the error of the
rounding.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

LEVELS = 127
WEIGHT = "_proj.weight"
"""How the names of the weights end that are rounded: attention and MLP of Llama, Qwen, and their relatives."""
SCHEME = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "ignore": ["lm_head"],
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "dynamic": False},
            "input_activations": {
                "num_bits": 8,
                "type": "int",
                "symmetric": True,
                "strategy": "token",
                "dynamic": True,
            },
        }
    },
}


def rounded(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight (out, in) as eight-bit integers, and the scale of each channel (out, 1) that gives it back."""
    exact = weight.float()
    scale = exact.abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / LEVELS
    return (exact / scale).round().clamp(-LEVELS, LEVELS).to(torch.int8), scale


def round_folder(source: Path, output: Path) -> int:
    """Write the model of one folder to another, rounded. Returns how many weights were rounded.

    Raises:
        SystemExit: the folder has no model.safetensors, or none of its weights has a name that is known.
    """
    file = source / "model.safetensors"
    if not file.exists():
        sys.exit(f"error: {file} does not exist; name a folder with a model in one file")
    tensors: dict[str, torch.Tensor] = {}
    count = 0
    for name, tensor in load_file(file).items():
        if not name.endswith(WEIGHT):
            tensors[name] = tensor
            continue
        tensors[name], tensors[f"{name}_scale"] = rounded(tensor)
        count += 1
    if not count:
        sys.exit(f"error: {file} has no weight whose name ends in {WEIGHT}; its architecture is not known here")
    output.mkdir(parents=True, exist_ok=True)
    for other in source.iterdir():
        if other.is_file() and other != file:
            shutil.copy(other, output)
    save_file(tensors, output / "model.safetensors", {"format": "pt"})
    config = json.loads((source / "config.json").read_text("utf-8"))
    (output / "config.json").write_text(json.dumps({**config, "quantization_config": SCHEME}, indent=2) + "\n", "utf-8")
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="a folder with a model for transformers, as model.safetensors")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    options = parser.parse_args()
    print(f"{round_folder(options.model, options.output)} weights rounded to eight bits")


if __name__ == "__main__":
    main()
