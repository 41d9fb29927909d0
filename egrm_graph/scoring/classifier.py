"""The scorer that runs in this process: a sequence classifier whose one logit, through a sigmoid, is the score.

It reads the question and the whole path, laid out by the template that is kept with its weights.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self

from egrm_graph.errors import ModelError
from egrm_graph.scoring.checkpoint import DEFAULT_INPUT, open_checkpoint
from egrm_graph.scoring.scorer import Unscored

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def lay_out(template: str, question: str, path: str) -> str:
    """The text that is scored. Braces in the question or the path stay what they are."""
    values = {"{question}": question, "{path}": path}
    return re.sub(r"\{question\}|\{path\}", lambda found: values[found[0]], template)


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids, never cut. Text that spells a special token, such as `</s>`, is read as plain text."""
    if not texts:
        return []
    encoded = tokenizer(list(texts), split_special_tokens=True, return_attention_mask=False, verbose=False)
    return [list(row) for row in encoded["input_ids"]]


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
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        template: str = DEFAULT_INPUT,
        max_batch_tokens: int = 16384,
    ) -> None:
        self._model: PreTrainedModel | None = model.train(False)
        self._tokenizer = tokenizer
        self._name = name
        self._template = template
        self._max_batch_tokens = max_batch_tokens
        self._context = context_tokens(model, tokenizer)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="egrm-scorer")

    @classmethod
    def load(cls, folder: str | Path, *, max_batch_tokens: int = 16384, device: str | None = None) -> Self:
        """The scorer in a local folder. A batch holds at most `max_batch_tokens`, padding included.

        Raises:
            ModelError: it is not there, or not a scorer that can be loaded safely; says what would help.
        """
        folder = Path(folder)
        model, tokenizer, manifest = open_checkpoint(folder, device)
        name = folder.resolve().name
        return cls(model, tokenizer, name=name, template=manifest.input, max_batch_tokens=max_batch_tokens)

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
        read = self._read(question, paths)
        rows = {i: row for i, row in enumerate(read) if not isinstance(row, Unscored)}
        scores: dict[int, float | Unscored] = {}
        for batch in _batches(rows, self._max_batch_tokens):
            scores.update(zip(batch, _run(model, [rows[i] for i in batch]), strict=True))
        return [row if isinstance(row, Unscored) else scores[i] for i, row in enumerate(read)]

    def _read(self, question: str, paths: tuple[str, ...]) -> list[list[int] | Unscored]:
        flaws = [_flaw(question, path) for path in paths]
        sound = [path for path, flaw in zip(paths, flaws, strict=True) if flaw is None]
        rows = iter(encode(self._tokenizer, [lay_out(self._template, question, path) for path in sound]))
        return [flaw or self._fitting(next(rows)) for flaw in flaws]

    def _fitting(self, row: list[int]) -> list[int] | Unscored:
        if not row:
            return Unscored("the scorer's tokenizer has no tokens for this text")
        if len(row) > self._context:
            return Unscored(f"question and path are {len(row)} tokens, and the scorer reads at most {self._context}")
        return row


def _flaw(question: str, path: str) -> Unscored | None:
    if not path.strip():
        return Unscored("the path is empty")
    try:
        (question + path).encode()
    except UnicodeEncodeError:
        return Unscored("the question or the path is not valid Unicode")
    return None


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
    return [_squash(logit) for logit in logits[:, 0].float().tolist()]


def _squash(logit: float) -> float | Unscored:
    if not math.isfinite(logit):  # the sigmoid of an infinity would look like a perfect score
        return Unscored(f"the scorer gave {logit}")
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
