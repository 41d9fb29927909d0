"""One pass of the classifier over rows of token ids: a score for each row, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from egrm_graph.scoring.scorer import Unscored, squash

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask`, both (B, T), padded on the right."""
    import torch

    width = max(map(len, rows))
    ids = [[*row, *[pad_id] * (width - len(row))] for row in rows]
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def score_rows(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> list[float | Unscored]:
    """The sigmoid of each row's logit. Never raises: rows that fail, for example out of memory, are tried again in
    halves, so that one row does not cost the others their scores."""
    read = _read_logits(model, rows)
    if not isinstance(read, Exception):
        return [squash(logit) for logit in read]
    if len(rows) == 1:
        return [Unscored(f"the scorer failed: {read}")]
    middle = len(rows) // 2
    return score_rows(model, rows[:middle]) + score_rows(model, rows[middle:])


def _read_logits(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> list[float] | Exception:
    """The logits, or the error. Returning the error lets the failed pass release its memory before the next one."""
    import torch

    try:
        inputs = pad(rows, model.config.get_text_config().pad_token_id)
        with torch.inference_mode():
            logits = model(**{name: tensor.to(model.device) for name, tensor in inputs.items()}).logits  # (B, 1)
        return [float(logit) for logit in logits[:, 0].float().tolist()]
    except Exception as error:
        return error.with_traceback(None)
