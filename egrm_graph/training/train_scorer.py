"""Train a discriminative scorer on a file of rollouts.

The scorer starts from the weights of a model, with a head that has one output. Each batch holds complete questions with
all of their paths, because pairs are formed within a question. A question whose paths are all right, or all wrong, has
no pair, but it still counts in the regression. The weights with the best choice on held-out questions are kept.

Source: E-GRM, arXiv:2604.10072.
Differs: the target is 1 for a path with the right answer and 0 for any other. The checkpoint is chosen by the accuracy
of the top-scored path among sets of `best_of`, and then by the share of pairs in order.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from egrm_graph.errors import InputError
from egrm_graph.runtime.extras import require_extra
from egrm_graph.runtime.transformers_output import errors_only
from egrm_graph.scoring.checkpoint import MANIFEST, Manifest
from egrm_graph.scoring.scorer_loading import context_tokens
from egrm_graph.training.base_model import load_base
from egrm_graph.training.batches import Example, Preparation, logits_of, sample
from egrm_graph.training.best_of_n_curve import best_of_n_curve
from egrm_graph.training.figures import measure
from egrm_graph.training.lora import adapted, merged
from egrm_graph.training.output import last_checkpoint, mark_started, open_output, provenance, write_atomically
from egrm_graph.training.report import TrainingReport, write_report
from egrm_graph.training.rollout_file import Rollout, split
from egrm_graph.training.temperature import TemperatureFit, check_foldable, fit, fold
from egrm_graph.training.trainer import curve_of, in_full_precision, on_gpu, scorer_trainer
from egrm_graph.training.trainer_callbacks import SilentObserver, TrainingObserver
from egrm_graph.training.training_data import read_rollouts
from egrm_graph.training.training_settings import ScorerTraining

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
    lora = ["peft"] if config.lora_rank else []
    require_extra("train", "Training", "accelerate", "matplotlib", "torch", "transformers", *lora)
    observer = observer or SilentObserver()
    origin = provenance(config)
    if not open_output(config, origin, resume=resume, overwrite=overwrite):
        observer.noted(f"the scorer in {config.output} is complete")
        return config.output
    with errors_only():
        _train(config, origin, observer, overwrite=overwrite)
    return config.output


def _train(config: ScorerTraining, origin: Mapping[str, Any], observer: TrainingObserver, *, overwrite: bool) -> None:
    from transformers import PreTrainedModel, set_seed

    train, held_out = _read(config)
    set_seed(config.seed)
    base = load_base(config.base, half=config.lora_rank is not None and on_gpu())
    model, tokenizer = base.model, base.tokenizer
    if base.replaced:
        observer.noted(f"the head of {config.base} has more than one output, and is replaced by a new one")
    prepare = Preparation(tokenizer, config.template, context_tokens(model, tokenizer))
    examples, measured = prepare.examples(train), prepare.examples(held_out)
    _refuse_unlearnable(config, examples)
    _warn(prepare.left_out, len(measured), observer)
    batch = sample(measured, model)
    if config.calibration == "temperature":
        check_foldable(model, batch)

    checkpoints = mark_started(config.output, origin, overwrite=overwrite)
    learning = adapted(base, config.lora_rank, config.lora_alpha or 2 * config.lora_rank) if config.lora_rank else model
    trainer = scorer_trainer(config, learning, examples, measured, checkpoints=checkpoints, observer=observer)
    last = last_checkpoint(checkpoints)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    if trainer.state.global_step < trainer.state.max_steps:
        observer.noted(f"stopped early: no better choice in {config.patience} evaluations")
    model = in_full_precision(learning if isinstance(learning, PreTrainedModel) else merged(learning))

    rollouts = [example.rollout for example in measured]
    logits = logits_of(model, measured, config.batch_questions, config.max_batch_tokens)  # with the best weights
    fitted = _fitted(config, rollouts, logits)
    if isinstance(fitted, TemperatureFit):
        fold(model, fitted.temperature, batch)
    elif fitted:
        observer.noted(f"the scores are not calibrated: {fitted}")
    best = trainer.state.best_global_step
    observer.noted(f"kept the weights of step {best} of {trainer.state.global_step}")
    curve = curve_of(trainer.state.log_history)
    loss = next(entry["eval_loss"] for entry in curve if entry["step"] == best and "eval_loss" in entry)
    manifest = Manifest.model_validate(
        {
            **origin,
            "calibration": fitted.calibration if isinstance(fitted, TemperatureFit) else None,
            "data": {**_sizes(examples, measured), "paths_left_out_as_empty_or_too_long": prepare.left_out},
            "held_out": {"loss": loss, **measure(rollouts, logits, config.best_of)._asdict()},
            "best_step": best,
        }
    )
    write_report(config.output, TrainingReport(manifest, curve, best_of_n_curve(rollouts, logits), fitted))
    _save(config.output, model, tokenizer, manifest)
    shutil.rmtree(checkpoints)


FEW = 30


def _warn(left_out: int, held_out: int, observer: TrainingObserver) -> None:
    if left_out:
        observer.noted(f"{left_out} paths are empty or longer than the base model can read, and are left out")
    if held_out < FEW:
        observer.noted(f"only {held_out} questions are held out, so the choice of the weights is mostly chance")


def _fitted(
    config: ScorerTraining, rollouts: Sequence[Rollout], logits: Sequence[Sequence[float]]
) -> TemperatureFit | str | None:
    """The calibration, or why it is missing; None if it was not requested."""
    if config.calibration == "none":
        return None
    try:
        return fit(rollouts, logits)
    except InputError as error:
        return str(error)


def _read(config: ScorerTraining) -> tuple[list[Rollout], list[Rollout]]:
    rollouts = read_rollouts(config.rollouts)
    if config.held_out is not None:
        held_out = read_rollouts(config.held_out)
        shared = {rollout.question for rollout in rollouts} & {rollout.question for rollout in held_out}
        if shared:
            raise InputError(
                f"{len(shared)} questions are in both files, such as {min(shared)!r}; hold out other questions"
            )
        return rollouts, held_out
    train, held_out = split(rollouts, config.held_out_share)
    if not train or not held_out:
        raise InputError(
            f"{len(rollouts)} questions in {config.rollouts} are too few to hold out a share of "
            f"{config.held_out_share}; use more questions, or a file with held-out rollouts"
        )
    return train, held_out


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


def _save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, manifest: Manifest) -> None:
    model.save_pretrained(folder)
    for file in folder.glob("*.safetensors"):  # by default only their owner can read them
        file.chmod((folder / "config.json").stat().st_mode)
    tokenizer.save_pretrained(folder)
    write_atomically(
        folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n"
    )  # last, because it marks the scorer as complete
