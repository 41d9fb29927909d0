"""The scorer that runs in this process: a sequence classifier whose score is the sigmoid of its single logit.

It reads the question and the full path in its checkpoint's template. It can also score each step: a decoder in one pass
for each path, an encoder in one for each step. One scorer serves any number of runs at once and batches their paths.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from egrm_graph.errors import SetupError
from egrm_graph.runtime.forking import call_in_children, cannot_fork, limit_torch_threads
from egrm_graph.scoring.batching import Batcher
from egrm_graph.scoring.checkpoint import Manifest
from egrm_graph.scoring.forward import score_rows
from egrm_graph.scoring.layout import Layout
from egrm_graph.scoring.score_row import RowScores, ScoreText, only_scores
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.scoring.scorer_loading import open_checkpoint, step_profile
from egrm_graph.scoring.step_profile import StepProfile, is_calibrated, path_scores, require_steps
from egrm_graph.scoring.step_texts import scores_by_path
from egrm_graph.steps.cutting import step_cutter

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BATCH_TOKENS_ON_CPU = 1024
"""The best value measured: the activations of a batch stay in the processor's cache."""
BATCH_TOKENS_ELSEWHERE = 16384
MAX_PENDING_PATHS = 1024
QUICK_CHARACTERS = 20_000
"""Texts up to this length are encoded in a few milliseconds."""


class ClassifierScorer:
    """A `Scorer` that runs a sequence classifier on a thread of its own."""

    def __init__(
        self,
        model: PreTrainedModel,
        layout: Layout,
        *,
        name: str,
        calibrated: bool = False,
        profile: StepProfile | None = None,
        max_batch_tokens: int | None = None,
        max_pending_paths: int = MAX_PENDING_PATHS,
    ) -> None:
        self._profile = step_profile(model, layout, Manifest()) if profile is None else profile
        self._layout = layout
        self._name = name
        self._calibrated = calibrated
        default = BATCH_TOKENS_ON_CPU if model.device.type == "cpu" else BATCH_TOKENS_ELSEWHERE
        self._batcher = Batcher(
            partial(score_rows, model.train(False)),
            name=name,
            max_batch_tokens=max_batch_tokens or default,
            max_pending_paths=max_pending_paths,
        )
        self._device = model.device.type
        self._forked_error: SetupError | None = None
        call_in_children(self._start_over_in_child)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        device: str | None = None,
        max_batch_tokens: int | None = None,
        max_pending_paths: int = MAX_PENDING_PATHS,
    ) -> Self:
        """Loads the scorer in a local folder: one of `egrm train scorer`, or a reward model with a chat template.

        It runs on `device` ("cuda", "mps" or "cpu"), or by default on the best one available. A batch holds at most
        `max_batch_tokens` with padding; the default suits the device. At most `max_pending_paths` are in progress at
        once, and further callers wait. For an encoder, each step counts as a path.

        Raises:
            ModelError: the folder does not exist, or does not contain a scorer that can be loaded safely.
        """
        folder = Path(folder)
        model, layout, manifest = open_checkpoint(folder, device)
        profile = step_profile(model, layout, manifest)
        return cls(
            model,
            layout,
            name=folder.resolve().name,
            calibrated=is_calibrated(manifest, profile),
            profile=profile,
            max_batch_tokens=max_batch_tokens,
            max_pending_paths=max_pending_paths,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def calibrated(self) -> bool:
        return self._calibrated

    @property
    def step_profile(self) -> StepProfile:
        """What its checkpoint says about the scores of steps."""
        return self._profile

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        """A score in [0, 1] for each path, in order; `Unscored` for an empty, overlong, or failed one.

        If the scorer was trained on steps, it is the aggregate of their scores.

        Raises:
            ModelError: the scorer is closed.
            SetupError: it is on a GPU, and this process was forked.
        """
        if self._profile.steps is not None:
            ends = [step_cutter(self._profile.steps)(path) for path in paths]
            return path_scores(await self.score_steps(question, paths, ends), self._profile)
        return only_scores(await self._scored(question, [ScoreText(path) for path in paths]))

    async def score_steps(
        self, question: str, paths: Sequence[str], ends: Sequence[Sequence[int]]
    ) -> list[list[float] | Unscored]:
        """For each path, in order, a score in [0, 1] for each step: that of the path up to its end.

        `Unscored` for a path that cannot be scored, or with a step that cannot.

        Raises:
            ModelError: the scorer cannot score steps, or it is closed.
            SetupError: it is on a GPU, and this process was forked.
        """
        require_steps(self._name, self._profile)
        return await scores_by_path(self._profile.texts(paths, ends), partial(self._scored, question))

    async def _scored(self, question: str, texts: Sequence[ScoreText]) -> list[RowScores]:
        """The scores of all texts, which are read a part at a time."""
        if self._forked_error is not None:
            raise self._forked_error
        scored: list[RowScores] = []
        most = self._batcher.max_pending_paths
        for start in range(0, len(texts), most):
            some = texts[start : start + most]
            n_characters = sum(len(question) + len(text.path) for text in some)
            scored += await self._batcher.score(
                len(some), partial(self._layout.text_rows, question, some), quick=n_characters <= QUICK_CHARACTERS
            )
        return scored

    async def aclose(self) -> None:
        """Fails the running calls, and releases threads and weights."""
        try:
            await asyncio.to_thread(self._batcher.close)
        except RuntimeError:  # the interpreter is shutting down and starts no more threads
            self._batcher.close()

    def _start_over_in_child(self) -> None:
        """Prepares torch in a forked child. The batcher replaces its own threads."""
        limit_torch_threads()
        if self._device != "cpu":
            self._forked_error = cannot_fork(self.name, self._device)
