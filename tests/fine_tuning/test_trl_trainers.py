"""What TRL's trainers get: batches with a loss on completions alone, and prompts in an order that survives a resume."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.fine_tuning.completion_rows import CompletionRow
from egrm_graph.fine_tuning.language_model import load_language_model
from egrm_graph.fine_tuning.token_rows import IGNORED, RowTokenizer
from egrm_graph.fine_tuning.trl_trainers import prompt_order, supervised_trainer
from tests.fine_tuning.small import settings

ROWS = [CompletionRow(prompt="1+1:", completion="#2A"), CompletionRow(prompt="12+34:", completion="#46B")]


@pytest.mark.training
async def test_the_batches_have_a_loss_on_the_completions_alone(small_judge: Path, tmp_path: Path) -> None:
    base = load_language_model(str(small_judge))
    rows = RowTokenizer(base.tokenizer, 64, {}).rows(ROWS)
    config = settings(tmp_path / "rows", small_judge, tmp_path / "judge", batch_size=2, rows_at_once=2)
    trainer = supervised_trainer(config, base, rows, [], checkpoints=tmp_path)
    [batch] = list(trainer.get_train_dataloader())
    learned = {
        str(base.tokenizer.decode([token for token in labels if token != IGNORED]))
        for labels in batch["labels"].tolist()
    }
    assert learned == {"#2A</s>", "#46B</s>"}

    # By hand: the mean of the negative log-probabilities of those tokens.
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        logprobs = base.model(**inputs).logits[:, :-1].log_softmax(-1)
        loss: Any = trainer.compute_loss(base.model, dict(batch))
    targets = batch["labels"][:, 1:]
    places = targets != IGNORED
    expected = -logprobs.gather(-1, targets.clamp(min=0)[..., None])[..., 0][places].mean()
    assert places.sum() == 9
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


@given(st.integers(1, 12), st.integers(0, 40), st.integers(0, 3))
async def test_each_pass_has_every_prompt_once(n_prompts: int, n: int, seed: int) -> None:
    order = prompt_order(n_prompts, n, seed)
    assert len(order) == n
    for start in range(0, n - n_prompts + 1, n_prompts):
        assert Counter(order[start : start + n_prompts]) == Counter(range(n_prompts))
    assert prompt_order(n_prompts, n + 5, seed)[:n] == order
