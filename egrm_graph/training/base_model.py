"""The model that a scorer starts from: any decoder or encoder, with a head that has one output.

The architecture decides which token the head reads: the last one of a decoder, the first one of an encoder, or a pooled
one. If the base has a head with one output, the scorer keeps it. A head with more outputs is replaced by a new one.
Weights are read only from safetensors, and the model's own code never runs.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from egrm_graph.errors import ModelError
from egrm_graph.scoring.checkpoint import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Base(NamedTuple):
    """A model with one label, and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    new: tuple[str, ...]
    """Names of the modules with new random weights: the head, unless the base had one."""
    replaced: bool
    """Whether the base had a head with more than one output."""


def load_base(name: str, *, half: bool = False) -> Base:
    """Load the model from a folder or, if that is the name of a model on the hub, from there.

    The weights are in single precision. With `half`, they keep the precision of the files.

    Raises:
        ModelError: the model is missing, or a scorer cannot start from it. The message has a fix.
    """
    tokenizer = tokenizer_of(name)
    model, info = _load(name, half=half)
    new = {key.rpartition(".")[0] for key in (*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"]))}
    _refuse_incomplete(name, model, new)
    settle_padding(name, model, tokenizer)
    _settle_context(model, tokenizer)
    model.config.problem_type = None  # otherwise servers normalize over the one label
    return Base(model, tokenizer, tuple(sorted(new)), bool(info["mismatched_keys"]))


def tokenizer_of(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of the model in a folder or, if that is the name of a model on the hub, of that one.

    Raises:
        ModelError: the folder does not exist or has no safetensors, or the tokenizer cannot be loaded.
    """
    folder = Path(name)
    if folder.is_dir():
        _refuse_pickled(folder)
        return load_tokenizer(folder)
    if folder.is_absolute() or name.startswith(("./", "../", "~")) or name.count("/") > 1:
        raise ModelError(f"no model in {name}: the folder does not exist")
    return _fetch_tokenizer(name)


def _refuse_pickled(folder: Path) -> None:
    pickled = next(folder.glob("pytorch_model*.bin"), None)
    if pickled and not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"the model in {folder} has only pickled weights ({pickled.name}), which can run code; "
            "save it with `model.save_pretrained` as safetensors"
        )


def _fetch_tokenizer(name: str) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # the client of the hub and transformers raise many types
        raise ModelError(
            f"{name!r} is not a folder, and its tokenizer could not be fetched from the hub: {error}"
        ) from error
    return tokenizer


def _load(name: str, *, half: bool) -> tuple[PreTrainedModel, dict[str, Any]]:
    import torch
    from transformers import AutoModelForSequenceClassification

    try:
        loaded: tuple[PreTrainedModel, dict[str, Any]] = AutoModelForSequenceClassification.from_pretrained(
            name,
            num_labels=1,
            dtype="auto" if half else torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=Path(name).is_dir(),
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:  # transformers passes on the errors of the file reader
        raise ModelError(f"a scorer cannot start from the model in {name}: {error}") from error
    return loaded


def _refuse_incomplete(name: str, model: PreTrainedModel, new: Collection[str]) -> None:
    """Raise if new weights belong to the body of the model and not to its head."""
    body = f"{model.base_model_prefix}."
    missing = sorted(module for module in new if module.startswith(body) and "pooler" not in module)
    if missing:
        raise ModelError(
            f"the model in {name} lacks weights of some layers, or has them in another size "
            f"({', '.join(missing[:3])}); use a model whose weights and config.json were saved together"
        )


def settle_padding(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    text = model.config.get_text_config()
    text.pad_token_id = model.config.pad_token_id = tokenizer.pad_token_id
    if text.pad_token_id is None:
        raise ModelError(f"the tokenizer in {name} has neither a padding token nor an end token; add one")
    if len(tokenizer) > text.vocab_size:
        raise ModelError(
            f"the tokenizer in {name} has {len(tokenizer)} tokens, but the model {text.vocab_size}; "
            "use the tokenizer that the model was trained with"
        )


def _settle_context(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Shorten the context of models like RoBERTa. They count positions from after the padding, so some are never used,
    and the config does not say so."""
    embeddings = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(embeddings, "padding_idx", None)
    if embeddings is not None and padding is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, embeddings.num_embeddings - padding - 1)
