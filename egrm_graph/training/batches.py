"""Turns rollouts into batches: lays out and encodes their texts, and keeps the paths of a question together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from egrm_graph.errors import InputError
from egrm_graph.scoring.forward import pad
from egrm_graph.scoring.input_template import parse_template
from egrm_graph.scoring.layout import Layout, backend_of
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.training.rollout_file import Rollout

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Example(NamedTuple):
    """The paths of one question that fit, as token ids, and their targets in [0, 1]."""

    rollout: Rollout
    rows: list[list[int]]
    targets: list[float]

    @property
    def width(self) -> int:
        return max(map(len, self.rows))


class Preparation:
    """Lays out and encodes rollouts, and counts the paths that do not fit."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: str, context: int) -> None:
        self._layout = Layout(backend_of(tokenizer), parse_template(template), context)
        self.left_out = 0

    def examples(self, rollouts: Sequence[Rollout]) -> list[Example]:
        examples = [self._example(rollout) for rollout in rollouts]
        usable = [example for example in examples if example.rows]
        if not usable:
            raise InputError(
                f"every path is empty or longer than the {self._layout.context_tokens} tokens of the base model; use "
                "shorter paths, or a base with a longer context"
            )
        return usable

    def _example(self, rollout: Rollout) -> Example:
        rows = self._layout.rows(rollout.question, [path.text for path in rollout.paths])
        encoded = zip(rollout.paths, rows, strict=True)
        fit = [(path, row) for path, row in encoded if not isinstance(row, Unscored)]
        self.left_out += len(rollout.paths) - len(fit)
        paths = tuple(path for path, _ in fit)
        shortened = rollout.model_copy(update={"paths": paths})
        return Example(shortened, [row for _, row in fit], [path.target for path in paths])


def group(examples: Sequence[Example], max_questions: int, max_tokens: int) -> list[list[int]]:
    """Group the indices of examples of similar length into batches of complete questions."""
    batches: list[list[int]] = []
    n_rows = 0
    for i in sorted(range(len(examples)), key=lambda i: examples[i].width):
        n_rows += len(examples[i].rows)
        full = not batches or len(batches[-1]) == max_questions or n_rows * examples[i].width > max_tokens
        if full:
            batches.append([])
            n_rows = len(examples[i].rows)
        batches[-1].append(i)
    return batches


def logits_of(
    model: PreTrainedModel, examples: Sequence[Example], max_questions: int, max_tokens: int
) -> list[list[float]]:
    """The logits of the paths of each example. Leaves the model in evaluation mode."""
    import torch

    model.train(False)
    collate = collator(examples, model.config.get_text_config().pad_token_id)
    logits: list[list[float]] = [[] for _ in examples]
    for batch in group(examples, max_questions, max_tokens):
        inputs = collate([batch])
        with torch.inference_mode():
            tensors = {name: inputs[name].to(model.device) for name in ("input_ids", "attention_mask")}
            values = model(**tensors).logits[:, 0].float().tolist()
        for i, logit in zip(inputs["groups"].tolist(), values, strict=True):
            logits[i].append(logit)
    return logits


def sample(examples: Sequence[Example], model: PreTrainedModel) -> dict[str, Any]:
    """The shortest example, as input of the model."""
    shortest = min(range(len(examples)), key=lambda i: examples[i].width)
    inputs = collator(examples, model.config.get_text_config().pad_token_id)([[shortest]])
    return {name: inputs[name] for name in ("input_ids", "attention_mask")}


def collator(examples: Sequence[Example], pad_id: int) -> Callable[[list[list[int]]], dict[str, Any]]:
    """Turns batches of indices into `input_ids` and `attention_mask` (N, T), `labels` and `groups` (N,)."""
    import torch

    def collate(batches: list[list[int]]) -> dict[str, Any]:
        chosen = [(i, examples[i]) for batch in batches for i in batch]
        return {
            **pad([row for _, example in chosen for row in example.rows], pad_id),
            "labels": torch.tensor([target for _, example in chosen for target in example.targets]),
            "groups": torch.tensor([i for i, example in chosen for _ in example.rows]),
        }

    return collate
