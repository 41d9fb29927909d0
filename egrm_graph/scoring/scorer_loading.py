"""Loads a scorer's model and layout from its folder to a device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from egrm_graph.errors import ModelError
from egrm_graph.runtime.extras import require_extra
from egrm_graph.runtime.transformers_output import without_progress_bars
from egrm_graph.scoring.checkpoint import (
    Manifest,
    load_tokenizer,
    read_json,
    read_manifest,
    refuse_unsafe,
)
from egrm_graph.scoring.layout import Layout, backend_of
from egrm_graph.scoring.step_profile import StepProfile, profile_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class ScorerCheckpoint(NamedTuple):
    """A scorer, ready to run."""

    model: PreTrainedModel
    layout: Layout
    manifest: Manifest


def open_checkpoint(folder: Path, device: str | None = None) -> ScorerCheckpoint:
    """The scorer in a local folder, on `device` or on the best one available.

    Raises:
        ModelError: the folder does not exist, or does not contain a scorer that can be loaded safely.
    """
    refuse_unsafe(folder)
    require_extra("local", f"The scorer in {folder}, which runs in this process,")
    manifest = read_manifest(folder)
    tokenizer = load_tokenizer(folder)
    model = _load_model(folder, device or best_device())
    layout = Layout.load(folder, backend_of(tokenizer), context_tokens(model, tokenizer))
    _settle_padding(folder, model, tokenizer, layout)
    return ScorerCheckpoint(model, layout, manifest)


def step_profile(model: PreTrainedModel, layout: Layout, manifest: Manifest) -> StepProfile:
    """What a loaded scorer says about the scores of steps."""
    return profile_of(manifest, model.config.to_dict(), layout, token_head=hasattr(model, "score"))


def best_device() -> str:
    """A CUDA GPU, an Apple GPU, or else the CPU."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def dtype_on(device: str, stored: str | None) -> torch.dtype:
    """The data type that a scorer computes in, for weights that are stored in `stored`.

    It is float32, so that scores are the same everywhere. Only large models are stored in bfloat16, and they compute in
    16 bits on a GPU.
    """
    import torch

    kind = torch.device(device).type
    if stored != "bfloat16" or kind == "cpu":
        return torch.float32
    if kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16


def _stored_dtype(folder: Path) -> str | None:
    config = read_json(folder / "config.json")
    found = config.get("dtype", config.get("torch_dtype"))  # its name before transformers 5
    return found if isinstance(found, str) else None


def context_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """The model's context in tokens: the smaller of the model's and the tokenizer's values."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(positions or tokenizer.model_max_length, tokenizer.model_max_length)


def _load_model(folder: Path, device: str) -> PreTrainedModel:
    from transformers import AutoModelForSequenceClassification

    try:
        with without_progress_bars():
            model, info = AutoModelForSequenceClassification.from_pretrained(
                folder,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                dtype=dtype_on(device, _stored_dtype(folder)),
            )
    except Exception as error:  # transformers passes on whatever the file reader raises
        raise ModelError(f"the scorer in {folder} cannot be loaded: {error}") from error
    if info["missing_keys"]:  # transformers would initialize them at random
        missing = ", ".join(sorted(info["missing_keys"])[:3])
        raise ModelError(f"the scorer in {folder} lacks weights ({missing}); train it with `egrm train scorer`")
    try:
        placed: PreTrainedModel = model.to(device)
    except (RuntimeError, AssertionError) as error:  # out of memory, or torch does not support the device
        raise ModelError(f"the scorer in {folder} cannot be put on {device!r}: {error}; try device='cpu'") from error
    return placed


def _settle_padding(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, layout: Layout) -> None:
    config = model.config.get_text_config()
    if config.pad_token_id is None:
        # A decoder reads the score at the last token that is not padding. If the tokenizer pads with the token that
        # ends a conversation, that would be the token before it, on which the model was not trained.
        last = [row[-1] for row in layout.rows("1", ["1"]) if isinstance(row, list)]
        rest = sorted(layout.control_ids) if tokenizer.pad_token_id in last else []
        config.pad_token_id = next((i for i in [tokenizer.pad_token_id, *rest] if i not in last), None)
    if config.pad_token_id is None:
        raise ModelError(f"the scorer in {folder} has no padding token; set pad_token_id in its config.json")
    if len(tokenizer) > config.vocab_size:
        raise ModelError(
            f"the tokenizer in {folder} has {len(tokenizer)} tokens and the model {config.vocab_size}; "
            "save the two that were trained together"
        )
