"""Train a process scorer (a process reward model, PRM), which scores each step of a path.

It is the same sequence classifier as the scorer of full paths, and its score of a step depends on the question and the
path up to the end of this step, and on nothing after it. A decoder's head is read at the last token of each step, so
one pass over a path gives the scores of all steps. An encoder's tokens also see what follows, so it reads a text for
each step, and its cost is quadratic in the number of steps.

    L = mean over labeled steps of the cross-entropy of sigmoid(logit) with the label, which may be a probability

Sources: Lightman et al. 2023, arXiv:2305.20050 (labels of people); Wang et al. 2023, arXiv:2312.08935 (labels from
continuations); EDU-PRM, arXiv:2503.22233 (labels from the leaves of an entropy tree).
Differs: one logit and a sigmoid, not two tokens and a softmax. By default the leaves of a tree count by their
probability, and not equally. The checkpoint is chosen by the first-error F1 on held-out questions, and then by the
loss, or by the loss alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from egrm_graph.errors import InputError, SetupError
from egrm_graph.scoring.checkpoint import Manifest
from egrm_graph.scoring.input_template import parse_template
from egrm_graph.scoring.layout import Layout, backend_of
from egrm_graph.scoring.score_calibration import sigmoid
from egrm_graph.scoring.scorer_loading import context_tokens, step_profile
from egrm_graph.scoring.step_profile import DEFAULT_AGGREGATION, require_steps
from egrm_graph.steps.cutting import step_cutter
from egrm_graph.training.batches import Example, logits_of
from egrm_graph.training.report import ProcessReport, write_process_report
from egrm_graph.training.rollout_file import Rollout
from egrm_graph.training.step_batches import StepPreparation
from egrm_graph.training.step_data import read_step_rollouts
from egrm_graph.training.step_figures import (
    AggregationFigures,
    StepFigures,
    added,
    at_other_half,
    choices,
    judged_paths,
    step_figures,
)
from egrm_graph.training.step_targets import RIGHT_FROM, elsewhere, where_steps_end, without_merged
from egrm_graph.training.trainer_callbacks import TrainingObserver
from egrm_graph.training.training_run import (
    Examples,
    Learned,
    TrainingRun,
    learn,
    open_base,
    read_split,
    run_training,
    save,
    warn,
)
from egrm_graph.training.training_settings import ProcessTraining

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class ProcessGoal:
    """A score for each step: the probability that a path with this beginning ends right."""

    best_by: str = "first_error_f1"

    @property
    def compares_paths(self) -> bool:
        return False

    @property
    def figure_names(self) -> Sequence[str]:
        return StepFigures._fields

    def loss(self, logits: Tensor, targets: Tensor, groups: Tensor) -> Tensor:  # noqa: ARG002 steps are not compared
        """The mean cross-entropy of the steps of a batch. All are (M,)."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(logits, targets)

    def figures(self, held_out: Sequence[Example], logits: Sequence[Sequence[float]]) -> Mapping[str, float | None]:
        return _figures(held_out, logits)._asdict()

    def selection(self, figures: Mapping[str, float | None]) -> float:
        # Of equal ones, the weights with the smallest loss are the best.
        return 0.0 if self.best_by == "loss" else figures["first_error_f1"] or 0.0


def train_process_reward(
    config: ProcessTraining, *, resume: bool = False, overwrite: bool = False, observer: TrainingObserver | None = None
) -> Path:
    """Train a process scorer, save it with its report, and return its folder, ready for `ClassifierScorer.load`.

    Deterministic on the CPU for a seed and a number of threads, even if it is killed and resumed.

    Raises:
        SetupError: a package of the `train` extra is missing, there are several GPUs, or the loss is NaN or infinite.
        SettingsError: the training to resume was started with other settings or other data.
        InputError: the data cannot be used, or the output folder is in use.
        ModelError: the base model cannot be used: it is a decoder, and its template has the path first.
    """
    return run_training(config, partial(_train, config), resume=resume, overwrite=overwrite, observer=observer)


def _train(config: ProcessTraining, run: TrainingRun) -> None:
    _refuse_several_gpus()
    train, held_out = read_split(config, read_step_rollouts)
    rule = config.step_end or where_steps_end([*train, *held_out])
    others = elsewhere([*train, *held_out], rule)
    if others:
        run.observer.noted(f"{others} labeled steps end where the rule {rule!r} does not end a step")
    base = open_base(config, run.observer)
    context = context_tokens(base.model, base.tokenizer)
    layout = Layout(backend_of(base.tokenizer), parse_template(config.template), context)
    profile = step_profile(base.model, layout, Manifest())
    require_steps(f"a scorer from {config.base}", profile)
    prepare = StepPreparation(layout, profile)
    learned_from = prepare.labeled(without_merged(train, config.merge_steps, config.seed), config.labels)
    measured = prepare.labeled(held_out, "value")
    _refuse_uniform(config, learned_from)
    warn(prepare.left_out, len(measured), run.observer)
    learned = learn(config, ProcessGoal(config.best_by), base, Examples(learned_from, measured), run)

    chosen = _choices(config, prepare, learned.model, held_out, rule)
    manifest = Manifest.model_validate(
        {
            **run.origin,
            **learned.manifest,
            "steps": rule,
            "aggregation": config.aggregation or _best(chosen),
            "data": {**_sizes(learned_from, measured), "paths_left_out_as_empty_or_too_long": prepare.left_out},
            "held_out": {"loss": learned.loss, **_held_out(measured, learned)},
        }
    )
    write_process_report(config.output, ProcessReport(manifest, learned.curve, chosen, learned.fitted))
    save(config.output, learned.model, base.tokenizer, manifest)


def _figures(examples: Sequence[Example], logits: Sequence[Sequence[float]]) -> StepFigures:
    rollouts, targets = [example.rollout for example in examples], [example.targets for example in examples]
    return step_figures(rollouts, targets, _scores(logits))


def _scores(logits: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[sigmoid(logit) for logit in some] for some in logits]


def _held_out(measured: Sequence[Example], learned: Learned) -> dict[str, Any]:
    """The figures of the best weights. Those at the best threshold are cross-fitted. A temperature changes none."""
    scores = _scores(learned.logits)
    judged = [
        (example.rollout, judged_paths(example.rollout, example.targets, some))
        for example, some in zip(measured, scores, strict=True)
    ]
    other = added(at_other_half(judged))
    return {**_figures(measured, learned.logits)._asdict(), "first_error_f1_at_best_threshold": other.f1}


def _choices(
    config: ProcessTraining, prepare: StepPreparation, model: PreTrainedModel, held_out: Sequence[Rollout], rule: str
) -> list[AggregationFigures]:
    """The choice among the held-out paths with answers, cut and scored as the scorer will do it."""
    cut = step_cutter(rule)
    examples = prepare.cut(held_out, cut)
    if not examples:
        return []
    logits = logits_of(model, examples, config.batch_questions, config.max_batch_tokens)
    scores = []
    for example, some in zip(examples, _scores(logits), strict=True):
        following = iter(some)
        scores.append([[next(following) for _ in cut(path.text)] for path in example.rollout.paths])
    return choices([example.rollout for example in examples], scores, config.best_of)


def _best(chosen: Sequence[AggregationFigures]) -> str:
    """The aggregation that chooses best, and of equally good ones the one that orders more pairs."""
    useful = [figures for figures in chosen if figures.best_of_n is not None and figures.pairwise is not None]
    if not useful:
        return DEFAULT_AGGREGATION
    return max(useful, key=lambda figures: (figures.best_of_n or 0, figures.pairwise or 0)).aggregation


def _refuse_several_gpus() -> None:
    import torch

    n_gpus = torch.cuda.device_count()
    if n_gpus > 1:  # a batch would be split, and its places with it
        raise SetupError(f"a process scorer trains on one GPU, and {n_gpus} are visible; set CUDA_VISIBLE_DEVICES=0")


def _refuse_uniform(config: ProcessTraining, train: Sequence[Example]) -> None:
    targets = {target for example in train for target in example.targets}
    if len(targets) == 1:
        (target,) = targets
        kind = {0.0: "wrong", 1.0: "right"}.get(target, f"labeled {target}")
        raise InputError(
            f"every usable step in {config.rollouts} is {kind}, but a scorer learns from differences; use paths with "
            "right and wrong steps"
        )


def _sizes(train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, Any]:
    targets = [target for example in train for target in example.targets]
    return {
        "train_questions": len(train),
        "train_paths": _labeled_paths(train),
        "train_steps": len(targets),
        "train_steps_right": round(sum(target >= RIGHT_FROM for target in targets) / len(targets), 6),
        "held_out_questions": len(held_out),
        "held_out_paths": _labeled_paths(held_out),
        "held_out_steps": sum(len(example.targets) for example in held_out),
    }


def _labeled_paths(examples: Sequence[Example]) -> int:
    return sum(bool(path.steps) for example in examples for path in example.rollout.paths)
