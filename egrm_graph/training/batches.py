"""Turns rollouts into batches: lays out and encodes their texts, and keeps the paths of a question together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from egrm_graph.errors import InputError
from egrm_graph.scoring.forward import logits_at_every_token, pad
from egrm_graph.scoring.input_template import parse_template
from egrm_graph.scoring.layout import Layout, backend_of
from egrm_graph.scoring.score_row import ScoreRow
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.training.rollout_file import Rollout

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Example(NamedTuple):
    """The paths of one question that fit, as token ids, and the targets of their scores."""

    rollout: Rollout
    rows: list[ScoreRow]
    targets: list[float]
    """In [0, 1], in order: one for each place of each row, or one for a row without places."""

    @property
    def width(self) -> int:
        return max(len(row.ids) for row in self.rows)


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
        return Example(shortened, [ScoreRow(row) for _, row in fit], [path.target for path in paths])


def in_parts(examples: Sequence[Example], max_tokens: int) -> list[Example]:
    """The examples in parts of at most `max_tokens` with padding, or of one row, in order."""
    return [part for example in examples for part in _parts(example, max_tokens)]


def _parts(example: Example, max_tokens: int) -> list[Example]:
    parts: list[Example] = []
    width = 0
    targets = iter(example.targets)
    for row in example.rows:
        width = max(width, len(row.ids))
        if not parts or (len(parts[-1].rows) + 1) * width > max_tokens:
            parts.append(Example(example.rollout, [], []))
            width = len(row.ids)
        parts[-1].rows.append(row)
        parts[-1].targets.extend(islice(targets, row.n_scores))
    return parts


def of_parts(examples: Sequence[Example], values: Iterable[Sequence[float]]) -> list[list[float]]:
    """The values of each example, one for each target, from those of its parts."""
    following = chain.from_iterable(values)
    return [list(islice(following, len(example.targets))) for example in examples]


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
    """The logits of each example, in the order of its targets. Leaves the model in evaluation mode."""
    import torch

    model.train(False)
    parts = in_parts(examples, max_tokens)
    collate = collator(parts, model.config.get_text_config().pad_token_id)
    logits: list[list[float]] = [[] for _ in parts]
    for batch in group(parts, max_questions, max_tokens):
        inputs = {name: tensor.to(model.device) for name, tensor in collate([batch]).items()}
        with torch.inference_mode():
            values = read_logits(model, inputs).tolist()
        for i, logit in zip(inputs["groups"].tolist(), values, strict=True):
            logits[i].append(logit)
    return of_parts(examples, logits)


def read_logits(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """The logits (M,) that the targets of a batch are for: of its rows or, if it has places, at these tokens."""
    tensors = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    if "places" not in inputs:
        logits: Tensor = model(**tensors).logits  # (N, 1)
        return logits[:, 0].float()
    _, at_tokens = logits_at_every_token(model, tensors)  # (N, T, 1)
    rows, tokens = inputs["places"].unbind(1)
    return at_tokens[rows, tokens, 0].float()


def sample(examples: Sequence[Example], model: PreTrainedModel) -> dict[str, Any]:
    """The shortest example, as input of the model."""
    shortest = min(range(len(examples)), key=lambda i: examples[i].width)
    inputs = collator(examples, model.config.get_text_config().pad_token_id)([[shortest]])
    return {name: inputs[name] for name in ("input_ids", "attention_mask")}


def collator(examples: Sequence[Example], pad_id: int) -> Callable[[list[list[int]]], dict[str, Any]]:
    """Turns batches of indices into `input_ids` and `attention_mask` (N, T), `labels` and `groups` (M,). If the rows
    have places, also `places` (M, 2): the row and the token of each."""
    import torch

    def collate(batches: list[list[int]]) -> dict[str, Any]:
        chosen = [(i, examples[i]) for batch in batches for i in batch]
        rows = [row for _, example in chosen for row in example.rows]
        places = [(number, place) for number, row in enumerate(rows) for place in row.places]
        return {
            **pad([row.ids for row in rows], pad_id),
            "labels": torch.tensor([target for _, example in chosen for target in example.targets]),
            "groups": torch.tensor([i for i, example in chosen for _ in example.targets]),
            **({"places": torch.tensor(places)} if places else {}),
        }

    return collate
