"""Train a discriminative scorer on a file of rollouts.

The scorer starts from the weights of a model, with a head that has one output. Each batch holds complete questions with
all of their paths, because pairs are formed within a question. A question whose paths are all right, or all wrong, has
no pair, but it still counts in the regression. The weights with the best choice on held-out questions are kept.

Source: E-GRM, arXiv:2604.10072.
Differs: the target is 1 for a path with the right answer and 0 for any other. The checkpoint is chosen by the accuracy
of the top-scored path among sets of `best_of`, and then by the share of pairs in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from egrm_graph.errors import InputError
from egrm_graph.scoring.checkpoint import Manifest
from egrm_graph.scoring.objective import scoring_loss
from egrm_graph.scoring.scorer_loading import context_tokens
from egrm_graph.training.batches import Example, Preparation
from egrm_graph.training.best_of_n_curve import best_of_n_curve
from egrm_graph.training.figures import Figures, measure
from egrm_graph.training.report import TrainingReport, write_report
from egrm_graph.training.trainer_callbacks import TrainingObserver
from egrm_graph.training.training_data import read_rollouts
from egrm_graph.training.training_run import (
    Examples,
    TrainingRun,
    learn,
    open_base,
    read_split,
    run_training,
    save,
    warn,
)
from egrm_graph.training.training_settings import ScorerTraining

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class OutcomeGoal:
    """One score for each path: the probability that its answer is right."""

    config: ScorerTraining

    @property
    def compares_paths(self) -> bool:
        return True

    @property
    def figure_names(self) -> Sequence[str]:
        return Figures._fields

    def loss(self, logits: Tensor, targets: Tensor, groups: Tensor) -> Tensor:
        return scoring_loss(logits, targets, groups, self.config.weights).total

    def figures(self, held_out: Sequence[Example], logits: Sequence[Sequence[float]]) -> Mapping[str, float | None]:
        return measure([example.rollout for example in held_out], logits, self.config.best_of)._asdict()

    def selection(self, figures: Mapping[str, float | None]) -> float:
        best, pairwise = figures["best_of_n"] or 0, figures["pairwise"] or 0
        # best_of_n has steps of 1 / questions, so with half a step the pairs only break ties
        return best + pairwise / (2 * (figures["questions"] or 1))


def train_scorer(
    config: ScorerTraining, *, resume: bool = False, overwrite: bool = False, observer: TrainingObserver | None = None
) -> Path:
    """Train a scorer, save it with its report, and return its folder, ready for `ClassifierScorer.load`.

    Deterministic on the CPU for a seed and a number of threads, even if it is killed and resumed.

    Raises:
        SetupError: a package of the `train` extra is missing, or the loss is NaN or infinite.
        SettingsError: the training to resume was started with other settings or other data.
        InputError: the rollouts cannot be used, or the output folder is in use.
        ModelError: the base model cannot be used.
    """
    return run_training(config, partial(_train, config), resume=resume, overwrite=overwrite, observer=observer)


def _train(config: ScorerTraining, run: TrainingRun) -> None:
    train, held_out = read_split(config, read_rollouts)
    base = open_base(config, run.observer)
    prepare = Preparation(base.tokenizer, config.template, context_tokens(base.model, base.tokenizer))
    examples, measured = prepare.examples(train), prepare.examples(held_out)
    _refuse_unlearnable(config, examples)
    warn(prepare.left_out, len(measured), run.observer)
    goal = OutcomeGoal(config)
    learned = learn(config, goal, base, Examples(examples, measured), run)

    manifest = Manifest.model_validate(
        {
            **run.origin,
            **learned.manifest,
            "data": {**_sizes(examples, measured), "paths_left_out_as_empty_or_too_long": prepare.left_out},
            "held_out": {"loss": learned.loss, **goal.figures(measured, learned.logits)},
        }
    )
    curve = best_of_n_curve([example.rollout for example in measured], learned.logits)
    write_report(config.output, TrainingReport(manifest, learned.curve, curve, learned.fitted))
    save(config.output, learned.model, base.tokenizer, manifest)


def _refuse_unlearnable(config: ScorerTraining, train: Sequence[Example]) -> None:
    targets = {target for example in train for target in example.targets}
    if len(targets) == 1:
        (target,) = targets
        kind = {0.0: "wrong", 1.0: "right"}.get(target, f"graded {target}")
        raise InputError(
            f"every usable path in {config.rollouts} is {kind}, but a scorer learns from differences; draw more paths, "
            "or use easier or harder questions"
        )
    if config.weights.alpha == 1 and not any(len(set(example.targets)) > 1 for example in train):
        raise InputError(
            f"objective={config.objective} learns from a better and a worse path of one question, but no question in "
            f"{config.rollouts} has both; draw more paths per question, or use objective=regression"
        )


def _sizes(train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, int]:
    return {
        "train_questions": len(train),
        "train_paths": sum(len(example.rows) for example in train),
        "train_questions_with_pairs": sum(len(set(example.targets)) > 1 for example in train),
        "held_out_questions": len(held_out),
        "held_out_paths": sum(len(example.rows) for example in held_out),
    }
