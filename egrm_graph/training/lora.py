"""Low-rank adaptation: a large base keeps its weights, and each of its linear layers learns a small correction.

The head is trained whole, and so is every layer that the base has no weights for. In the end the corrections are
merged into the weights: the scorer is a plain checkpoint that knows nothing of peft.

Source: Hu et al. 2021, arXiv:2106.09685; on all linear layers: Dettmers et al. 2023, arXiv:2305.14314.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from egrm_graph.training.base_model import Base

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

PEFTS_OWN = ("classifier", "score")
"""Heads that peft trains whole without being told."""


def adapted(base: Base, rank: int, alpha: int) -> PeftModel:
    """The base with corrections of that rank, scaled by alpha / rank; only these and the head learn."""
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=rank,
        lora_alpha=alpha,
        target_modules="all-linear",
        modules_to_save=[name for name in base.new if name.split(".")[0] not in PEFTS_OWN],
    )
    with warnings.catch_warnings():  # peft asks transformers by a name that is going to be removed
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        model: PeftModel = get_peft_model(base.model, config)
    for weights in model.parameters():
        if weights.requires_grad:  # a small step is lost in half precision
            weights.data = weights.data.float()
    return model


def merged(model: PeftModel) -> PreTrainedModel:
    """The model with its corrections in its weights, all in the precision of the base's.

    Raises:
        ValueError: a correction is not a number.
    """
    plain: Any = model.merge_and_unload(safe_merge=True)
    whole: PreTrainedModel = plain.to(plain.get_input_embeddings().weight.dtype)
    return whole
