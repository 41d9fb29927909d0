"""The scorer that runs in this process: a sequence classifier whose one logit, through a sigmoid, is the score.

It reads the question and the whole path, laid out by the template that is kept with its weights.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self

from egrm_graph.errors import ModelError
from egrm_graph.scoring.checkpoint import open_checkpoint
from egrm_graph.scoring.layout import Layout, backend_of
from egrm_graph.scoring.scorer import Unscored, squash

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask`, both (B, T), padded on the right."""
    import torch

    width = max(map(len, rows))
    ids = [[*row, *[pad_id] * (width - len(row))] for row in rows]
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def context_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens the model can read at once: the smaller of what the model and its tokenizer say."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(positions or tokenizer.model_max_length, tokenizer.model_max_length)


class ClassifierScorer:
    """A `Scorer` that runs a sequence classifier on a thread of its own; calls queue in the order they come."""

    def __init__(
        self,
        model: PreTrainedModel,
        layout: Layout,
        *,
        name: str,
        max_batch_tokens: int = 16384,
    ) -> None:
        self._model: PreTrainedModel | None = model.train(False)
        self._layout = layout
        self._name = name
        self._max_batch_tokens = max_batch_tokens
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="egrm-scorer")

    @classmethod
    def load(cls, folder: str | Path, *, max_batch_tokens: int = 16384, device: str | None = None) -> Self:
        """The scorer in a local folder. A batch holds at most `max_batch_tokens`, padding included.

        Raises:
            ModelError: it is not there, or not a scorer that can be loaded safely; says what would help.
        """
        folder = Path(folder)
        model, tokenizer, _ = open_checkpoint(folder, device)
        layout = Layout.load(folder, backend_of(tokenizer), context_tokens(model, tokenizer))
        return cls(model, layout, name=folder.resolve().name, max_batch_tokens=max_batch_tokens)

    @property
    def name(self) -> str:
        return self._name

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        """A score in [0, 1] for each path, in order; an empty, overlong or failed one is `Unscored`.

        Raises:
            ModelError: the scorer was closed.
        """
        model = self._model
        if model is None:
            raise ModelError(f"the scorer {self._name!r} is closed; load it again to go on")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._score, model, question, tuple(paths))

    async def aclose(self) -> None:
        """Waits for the calls under way, then lets go of the thread and the weights."""
        self._model = None
        try:
            await asyncio.to_thread(self._thread.shutdown)
        except RuntimeError:  # the interpreter is ending, and gives out no threads any more
            self._thread.shutdown()

    def _score(self, model: PreTrainedModel, question: str, paths: tuple[str, ...]) -> list[float | Unscored]:
        read = self._layout.rows(question, paths)
        rows = {i: row for i, row in enumerate(read) if not isinstance(row, Unscored)}
        scores: dict[int, float | Unscored] = {}
        for batch in _batches(rows, self._max_batch_tokens):
            scores.update(zip(batch, _run(model, [rows[i] for i in batch]), strict=True))
        return [row if isinstance(row, Unscored) else scores[i] for i, row in enumerate(read)]


def _batches(rows: dict[int, list[int]], max_tokens: int) -> Iterator[list[int]]:
    """The keys of `rows`, sorted by length, in batches of at most `max_tokens` tokens (but at least one row)."""
    batch: list[int] = []
    for i in sorted(rows, key=lambda key: len(rows[key])):
        if batch and (len(batch) + 1) * len(rows[i]) > max_tokens:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _run(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> Iterable[float | Unscored]:
    import torch

    inputs = pad(rows, model.config.get_text_config().pad_token_id)
    try:
        with torch.inference_mode():
            logits = model(**{name: tensor.to(model.device) for name, tensor in inputs.items()}).logits  # (B, 1)
    except RuntimeError as error:  # out of memory, for one: these paths have no score, the others keep theirs
        return [Unscored(f"the scorer failed: {error}")] * len(rows)
    return [squash(logit) for logit in logits[:, 0].float().tolist()]
