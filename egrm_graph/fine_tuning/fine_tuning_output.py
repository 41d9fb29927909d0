"""The origin of a trained language model, and its files.

The folder is used as for a scorer (`training/output.py`): checkpoints while it trains, and `egrm.json` at the end.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from egrm_graph.errors import ModelError
from egrm_graph.fine_tuning.fine_tuning_settings import FineTuning
from egrm_graph.scoring.checkpoint import MANIFEST
from egrm_graph.training.output import CHECKPOINTS, base_name, base_sha256, file_sha256, write_atomically

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def origin_of(config: FineTuning, **more: Any) -> dict[str, Any]:
    """The origin of a model. A training resumes only from a checkpoint with the same origin.

    `more` is what else decides which model results, such as the name of a task.

    Raises:
        InputError: a file cannot be read.
    """
    return {
        "egrm_graph": version("egrm-graph"),
        "base": base_name(config.base),
        "method": "reinforced" if config.reinforce else "supervised",
        "settings": config.recorded(),
        "data_sha256": {name: file_sha256(file) for name, file in config.files.items()},
        "base_sha256": base_sha256(config.base),
        **more,
    }


def read_origin(base: str) -> dict[str, Any]:
    """The `egrm.json` of a model that was trained here; empty for any other.

    Raises:
        ModelError: it cannot be read.
    """
    file = Path(base) / MANIFEST
    if not file.is_file():
        return {}
    try:
        origin = json.loads(file.read_bytes())
        if not isinstance(origin, dict):
            raise ValueError("it is not an object")
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read: {error}; write it again, or remove it") from error
    return origin


def save_language_model(
    folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, manifest: Mapping[str, Any]
) -> None:
    """Save the model, and remove the checkpoints of its training."""
    model.save_pretrained(folder)
    for file in folder.glob("*.safetensors"):  # by default only their owner can read them
        file.chmod((folder / "config.json").stat().st_mode)
    tokenizer.save_pretrained(folder)
    # Last, because it marks the model as complete.
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")
    shutil.rmtree(folder / CHECKPOINTS)
