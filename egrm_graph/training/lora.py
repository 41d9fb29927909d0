"""Low-rank adaptation: a large base keeps its weights, and each of its linear layers learns a small correction.

The head is trained in full, and so is every layer that the base has no weights for. At the end the corrections are
merged into the weights, so the scorer is a plain checkpoint that does not need peft.

Source: Hu et al. 2021, arXiv:2106.09685; on all linear layers: Dettmers et al. 2023, arXiv:2305.14314.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from egrm_graph.training.base_model import Base

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

TRAINED_BY_PEFT = ("classifier", "score")
"""Heads that peft trains in full by default."""


def adapted(base: Base, rank: int, alpha: int) -> PeftModel:
    """Add corrections of this rank to the base, scaled by alpha / rank. Only these and the head learn."""
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=rank,
        lora_alpha=alpha,
        target_modules="all-linear",
        modules_to_save=[name for name in base.new if name.split(".")[0] not in TRAINED_BY_PEFT],
    )
    with warnings.catch_warnings():  # peft uses a deprecated name of transformers
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        model: PeftModel = get_peft_model(base.model, config)
    for weights in model.parameters():
        if weights.requires_grad:  # a small step is lost in half precision
            weights.data = weights.data.float()
    return model


def merged(model: PeftModel) -> PreTrainedModel:
    """Merge the corrections into the weights, in the precision of the base.

    Raises:
        ValueError: a correction is NaN or infinite.
    """
    plain: Any = model.merge_and_unload(safe_merge=True)
    complete: PreTrainedModel = plain.to(plain.get_input_embeddings().weight.dtype)
    return complete
