"""Decodes one batch of rows with transformers' `generate`, which runs the forward passes.

The prompt that several rows share is computed once. `generate` keeps finished rows in the batch until the last one is
done, so decoding runs in rounds: when half of the rows are done, the round ends, and the next one continues with the
others from the same cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from egrm_graph.clients.embedded_rounds import DecodingRound, UniformStreams
from egrm_graph.clients.embedded_rows import DecodingRow
from egrm_graph.clients.embedded_tokens import ModelTokens

if TYPE_CHECKING:
    import torch


def decode(model: Any, rows: list[DecodingRow], *, tokens: ModelTokens) -> None:
    """Completes the rows, except those whose request is cancelled meanwhile."""
    import torch
    from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

    pad_id = tokens.pad_id
    ids, mask = _left_padded(rows, pad_id, model.device)
    cache = _shared_prefix(model, rows, ids, mask, pad_id)
    uniforms = UniformStreams([row.seed for row in rows])
    while rows:
        this = DecodingRound(rows, uniforms, tokens, model.device)
        out = model.generate(
            ids,
            attention_mask=mask,
            past_key_values=cache,
            logits_processor=LogitsProcessorList([this.pick]),
            stopping_criteria=StoppingCriteriaList([this.stop]),
            generation_config=GenerationConfig(
                do_sample=False,
                max_new_tokens=this.tokens_left,
                eos_token_id=list(tokens.eos_ids) or None,
                pad_token_id=pad_id,
                use_cache=True,
                return_dict_in_generate=True,
            ),
        )
        left = this.finish()
        uniforms.select(left)
        rows = [rows[i] for i in left]
        index = torch.tensor(left, dtype=torch.long, device=model.device)
        grown = out.sequences.shape[1] - mask.shape[1]
        ids, mask = out.sequences[index], torch.nn.functional.pad(mask, (0, grown), value=1)[index]
        cache = _selected(out.past_key_values, index) if rows else None


def _left_padded(rows: list[DecodingRow], pad_id: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    width = max(len(row.prompt_ids) for row in rows)
    ids = [[pad_id] * (width - len(row.prompt_ids)) + list(row.prompt_ids) for row in rows]
    mask = [[0] * (width - len(row.prompt_ids)) + [1] * len(row.prompt_ids) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)  # (B, width) both


def _shared_prefix(model: Any, rows: list[DecodingRow], ids: torch.Tensor, mask: torch.Tensor, pad_id: int) -> Any:
    """The cache of all prompts without their last tokens, each distinct prompt computed once.

    None if that saves nothing, or if the model's kind of cache cannot be copied row by row.
    """
    import torch
    from transformers import GenerationConfig

    first: dict[tuple[int, ...], int] = {}
    for index, row in enumerate(rows):
        first.setdefault(row.prompt_ids, index)
    if len(first) == len(rows) or min(len(prompt) for prompt in first) < 2:
        return None
    config = GenerationConfig(
        do_sample=False, max_new_tokens=1, pad_token_id=pad_id, use_cache=True, return_dict_in_generate=True
    )
    unique = list(first.values())
    out = model.generate(ids[unique, :-1], attention_mask=mask[unique, :-1], generation_config=config)
    place = {prompt: index for index, prompt in enumerate(first)}
    return _selected(out.past_key_values, torch.tensor([place[row.prompt_ids] for row in rows], device=model.device))


def _selected(cache: Any, rows: torch.Tensor) -> Any:
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    copyable = isinstance(cache, DynamicCache) and all(
        type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers
    )
    if not copyable:
        return None  # the next round computes its rows' prompts again
    cache.batch_select_indices(rows)
    return cache
