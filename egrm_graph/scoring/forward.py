"""One pass of the classifier over rows of token ids: the scores of each row, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from egrm_graph.scoring.score_row import RowScores, ScoreRow
from egrm_graph.scoring.scorer import Unscored, squash_all

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask`, both (B, T), padded on the right."""
    import torch

    width = max(map(len, rows))
    ids = [[*row, *[pad_id] * (width - len(row))] for row in rows]
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def score_rows(model: PreTrainedModel, rows: Sequence[ScoreRow]) -> list[RowScores]:
    """The sigmoids of each row's logits. Never raises: rows that fail, for example out of memory, are tried again in
    halves, so that one row does not cost the others their scores."""
    read = _read_logits(model, rows)
    if not isinstance(read, Exception):
        return [squash_all(logits) for logits in read]
    if len(rows) == 1:
        return [Unscored(f"the scorer failed: {read}")]
    middle = len(rows) // 2
    return score_rows(model, rows[:middle]) + score_rows(model, rows[middle:])


def _read_logits(model: PreTrainedModel, rows: Sequence[ScoreRow]) -> list[list[float]] | Exception:
    """The logits of each row, or the error. Returning the error lets the failed pass release its memory before the next
    one."""
    import torch

    try:
        inputs = pad([row.ids for row in rows], model.config.get_text_config().pad_token_id)
        inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}
        with torch.inference_mode():
            if any(row.places for row in rows):
                full, at_tokens = logits_at_every_token(model, inputs)  # (B, 1), (B, T, 1)
            else:
                full = at_tokens = model(**inputs).logits
        return [
            (at_tokens[i, list(row.places), 0] if row.places else full[i, :1]).float().tolist()
            for i, row in enumerate(rows)
        ]
    except Exception as error:
        return error.with_traceback(None)


def logits_at_every_token(model: PreTrainedModel, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The logits of the full texts, and those at every token. A decoder's head gives both in the same pass: the first
    are those at the last token of each text."""
    head = cast("Module", model.score)
    found: list[Tensor] = []

    def keep(_module: Module, _inputs: Any, logits: Any) -> None:
        found.append(logits)

    hook = head.register_forward_hook(keep)
    try:
        return model(**inputs).logits, found[0]
    finally:
        hook.remove()
