"""Turns paths with steps into examples whose scores are those of the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from egrm_graph.errors import InputError
from egrm_graph.scoring.layout import Layout
from egrm_graph.scoring.score_row import ScoreRow
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.scoring.step_profile import StepProfile
from egrm_graph.training.batches import Example
from egrm_graph.training.rollout_file import Rollout, RolloutPath
from egrm_graph.training.step_targets import StepLabels, label_of


class StepPreparation:
    """Lays out and encodes paths with their steps, and counts the paths that do not fit."""

    def __init__(self, layout: Layout, profile: StepProfile) -> None:
        self._layout = layout
        self._profile = profile
        self.left_out = 0

    def labeled(self, rollouts: Sequence[Rollout], labels: StepLabels) -> list[Example]:
        """The questions with any labeled step that fits. A path without labels of its own has no rows.

        Raises:
            InputError: there are none.
        """
        examples = [self._labeled(rollout, labels) for rollout in rollouts]
        usable = [example for example in examples if example.rows]
        if not usable:
            raise InputError(
                f"every path with labeled steps is longer than the {self._layout.context_tokens} tokens of the base "
                "model, or has none; use shorter paths, or a base with a longer context"
            )
        return usable

    def cut(self, rollouts: Sequence[Rollout], cutter: Callable[[str], list[int]]) -> list[Example]:
        """The paths with an answer, cut as a scorer cuts them. The targets mean nothing."""
        examples = []
        for rollout in rollouts:
            answered = [path for path in rollout.paths if path.answer is not None]
            example = self._example(rollout, answered, lambda path: cutter(path.text))
            if example.rows:
                examples.append(example._replace(targets=[0.0] * sum(row.n_scores for row in example.rows)))
        return examples

    def _labeled(self, rollout: Rollout, labels: StepLabels) -> Example:
        example = self._example(rollout, rollout.paths, lambda path: [step.end for step in path.steps])
        self.left_out += len(rollout.paths) - len(example.rollout.paths)
        targets = [label_of(step, labels) for path in example.rollout.paths for step in path.steps]
        return example._replace(targets=targets)

    def _example(
        self, rollout: Rollout, paths: Sequence[RolloutPath], ends_of: Callable[[RolloutPath], list[int]]
    ) -> Example:
        """The paths that fit. Those without steps stay in the rollout, but have no rows."""
        read = [(path, self._rows(rollout.question, path.text, ends_of(path))) for path in paths]
        fit = tuple(path for path, rows in read if rows is not None)
        return Example(rollout.model_copy(update={"paths": fit}), [row for _, rows in read for row in rows or ()], [])

    def _rows(self, question: str, path: str, ends: Sequence[int]) -> list[ScoreRow] | None:
        """The rows whose scores are those of the steps; None if one of them does not fit."""
        if not ends:
            return []
        (texts,) = self._profile.texts([path], [ends])
        if isinstance(texts, Unscored):
            return None
        read = self._layout.text_rows(question, texts)
        rows = [row for row in read if not isinstance(row, Unscored)]
        return rows if len(rows) == len(read) else None
