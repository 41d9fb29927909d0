"""The model that a scorer starts from: any decoder or encoder, with a head that gives one number.

The head is read where the architecture reads it: a decoder's at the last token, an encoder's at the first, or pooled. A
head that the base has already is taken over where it gives one number, and replaced by a new one where it gives more.
Weights are read from safetensors only, and no code of a model's own is run.
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
    """A model with one label and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    new: tuple[str, ...]
    """Names of the modules whose weights were drawn anew: the head, unless the base had one."""
    replaced: bool
    """Whether there was a head that gave more than one number."""


def load_base(name: str, *, half: bool = False) -> Base:
    """The model in a folder, which is not looked for anywhere else, or of that name on the hub.

    Its weights are in single precision, whatever they are stored in; with `half`, in the precision they are stored in.

    Raises:
        ModelError: it is not there, or no scorer can be started from it; says what would help.
    """
    folder = Path(name)
    if folder.is_dir():
        _refuse_pickled(folder)
        tokenizer = load_tokenizer(folder)
    elif folder.is_absolute() or name.startswith(("./", "../", "~")) or name.count("/") > 1:
        raise ModelError(f"there is no model in {name}: the folder does not exist")
    else:
        tokenizer = _fetch_tokenizer(name)
    model, info = _load(name, half=half)
    new = {key.rpartition(".")[0] for key in (*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"]))}
    _refuse_incomplete(name, model, new)
    _settle_padding(name, model, tokenizer)
    _settle_context(model, tokenizer)
    model.config.problem_type = None  # a classifier's of two labels would have servers normalise over one
    return Base(model, tokenizer, tuple(sorted(new)), bool(info["mismatched_keys"]))


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
    except Exception as error:  # the hub's client and transformers raise whatever comes up
        raise ModelError(
            f"there is no folder {name!r}, and no tokenizer of that name could be fetched from the hub: {error}"
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
    except Exception as error:  # transformers raises whatever the file's reader does
        raise ModelError(f"no scorer can be started from the model in {name}: {error}") from error
    return loaded


def _refuse_incomplete(name: str, model: PreTrainedModel, new: Collection[str]) -> None:
    """What is new has to belong to a head; a body of random weights is no base."""
    body = f"{model.base_model_prefix}."
    lacking = sorted(module for module in new if module.startswith(body) and "pooler" not in module)
    if lacking:
        raise ModelError(
            f"the model in {name} lacks weights of its own layers, or has them in another size "
            f"({', '.join(lacking[:3])}); give a model whose weights and config.json were saved together"
        )


def _settle_padding(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    text = model.config.get_text_config()
    text.pad_token_id = model.config.pad_token_id = tokenizer.pad_token_id
    if text.pad_token_id is None:
        raise ModelError(f"the tokenizer in {name} has neither a padding nor an end token; give it one")
    if len(tokenizer) > text.vocab_size:
        raise ModelError(
            f"the tokenizer in {name} has {len(tokenizer)} tokens and the model {text.vocab_size}; "
            "give a model and the tokenizer that it was trained with"
        )


def _settle_context(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """RoBERTa and its kin count positions from behind the padding's: some are never used, and no config says so."""
    embeddings = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    before = getattr(embeddings, "padding_idx", None)
    if embeddings is not None and before is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, embeddings.num_embeddings - before - 1)
