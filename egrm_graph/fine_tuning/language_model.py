"""The language model that a training starts from, and what the end of its training needs.

Weights are read only from safetensors, and the model's own code never runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from egrm_graph.errors import ModelError
from egrm_graph.training.base_model import settle_padding, tokenizer_of

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class LanguageModel(NamedTuple):
    """A causal language model and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load_language_model(name: str, *, half: bool = False) -> LanguageModel:
    """Load the model from a folder or, if that is the name of a model on the hub, from there.

    The weights are in single precision. With `half`, they keep the precision of the files.

    Raises:
        ModelError: the model is missing, or not a causal language model. The message has a fix.
    """
    tokenizer = tokenizer_of(name)
    model, info = _load(name, half=half)
    missing = sorted(info["missing_keys"]) + [str(key) for key, *_ in info["mismatched_keys"]]
    if missing:
        raise ModelError(
            f"the model in {name} lacks weights of some layers ({', '.join(missing[:3])}); use a causal language "
            "model whose weights and config.json were saved together"
        )
    settle_padding(name, model, tokenizer)
    if tokenizer.eos_token_id is None:
        raise ModelError(f"the tokenizer in {name} has no end token, so the model cannot learn to stop; add one")
    return LanguageModel(model, tokenizer)


def _load(name: str, *, half: bool) -> tuple[PreTrainedModel, dict[str, Any]]:
    import torch
    from transformers import AutoModelForCausalLM

    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            name,
            dtype="auto" if half else torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=Path(name).is_dir(),
            output_loading_info=True,
        )
    except Exception as error:  # transformers passes on the errors of the file reader
        raise ModelError(f"the language model in {name} cannot be loaded: {error}") from error
    model, info = loaded
    return model, info


def most_tokens(base: LanguageModel, wanted: int | None) -> int | None:
    """The most tokens of a row: as many as wanted, or as the model reads. None if neither says."""
    read = getattr(base.model.config.get_text_config(), "max_position_embeddings", None)
    known = [n for n in (wanted, read) if n is not None]
    return min(known) if known else None


def lora(rank: int, alpha: int | None) -> LoraConfig:
    """Corrections of this rank on all linear layers but the last one, scaled by alpha / rank."""
    from peft import LoraConfig, TaskType

    return LoraConfig(task_type=TaskType.CAUSAL_LM, r=rank, lora_alpha=alpha or 2 * rank, target_modules="all-linear")


def end_ids(base: LanguageModel) -> list[int]:
    """The tokens that end a text."""
    generation: Any = base.model.generation_config
    configured = generation.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    return list(dict.fromkeys(token for token in [*ids, base.tokenizer.eos_token_id] if token is not None))
