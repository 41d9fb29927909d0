"""What all trainings of scorers do: open the folder, load the base, hold out questions, learn, calibrate, and save."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from egrm_graph.errors import InputError
from egrm_graph.runtime.extras import require_extra
from egrm_graph.runtime.transformers_output import errors_only
from egrm_graph.scoring.checkpoint import MANIFEST, Manifest
from egrm_graph.training.base_model import Base, load_base
from egrm_graph.training.batches import Example, logits_of, sample
from egrm_graph.training.lora import adapted, merged
from egrm_graph.training.output import (
    CHECKPOINTS,
    last_checkpoint,
    mark_started,
    open_output,
    provenance,
    write_atomically,
)
from egrm_graph.training.rollout_file import Rollout, split
from egrm_graph.training.temperature import TemperatureFit, check_foldable, fit, fold
from egrm_graph.training.trainer import Goal, curve_of, in_full_precision, on_gpu, scorer_trainer
from egrm_graph.training.trainer_callbacks import SilentObserver, TrainingObserver
from egrm_graph.training.training_settings import Training

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FEW = 30


class TrainingRun(NamedTuple):
    """A training that is about to begin."""

    origin: Mapping[str, Any]
    observer: TrainingObserver
    overwrite: bool


class Examples(NamedTuple):
    """What a scorer learns from, and what it is measured on."""

    train: Sequence[Example]
    held_out: Sequence[Example]


class Learned(NamedTuple):
    """The best weights, with the temperature in their head."""

    model: PreTrainedModel
    logits: list[list[float]]
    """Of the held-out examples, before the temperature."""
    fitted: TemperatureFit | str | None
    """The calibration, or why it is missing; None if it was not requested."""
    best_step: int | None
    loss: float
    """The held-out loss of the best weights."""
    curve: list[dict[str, float]]

    @property
    def manifest(self) -> dict[str, Any]:
        """What the scorer's manifest says about the learning."""
        calibration = self.fitted.calibration if isinstance(self.fitted, TemperatureFit) else None
        return {"calibration": calibration, "best_step": self.best_step}


def run_training(
    config: Training,
    train: Callable[[TrainingRun], None],
    *,
    resume: bool,
    overwrite: bool,
    observer: TrainingObserver | None,
) -> Path:
    """Run `train`, unless the scorer in the output folder is complete. Return that folder."""
    lora = ["peft"] if config.lora_rank else []
    require_extra("train", "Training", "accelerate", "matplotlib", "torch", "transformers", *lora)
    observer = observer or SilentObserver()
    origin = provenance(config)
    if not open_output(config, origin, resume=resume, overwrite=overwrite):
        observer.noted(f"the scorer in {config.output} is complete")
        return config.output
    with errors_only():
        train(TrainingRun(origin, observer, overwrite))
    return config.output


def read_split(config: Training, read: Callable[[Path], list[Rollout]]) -> tuple[list[Rollout], list[Rollout]]:
    """The questions to train on, and the held-out ones."""
    rollouts = read(config.rollouts)
    if config.held_out is not None:
        held_out = read(config.held_out)
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


def open_base(config: Training, observer: TrainingObserver) -> Base:
    """The model to start from. Seeds all random numbers first, those of a new head included."""
    from transformers import set_seed

    set_seed(config.seed)
    base = load_base(config.base, half=config.lora_rank is not None and on_gpu())
    if base.replaced:
        observer.noted(f"the head of {config.base} has more than one output, and is replaced by a new one")
    return base


def warn(left_out: int, held_out: int, observer: TrainingObserver) -> None:
    if left_out:
        observer.noted(f"{left_out} paths are empty or longer than the base model can read, and are left out")
    if held_out < FEW:
        observer.noted(f"only {held_out} questions are held out, so the choice of the weights is mostly chance")


def learn(config: Training, goal: Goal, base: Base, examples: Examples, run: TrainingRun) -> Learned:
    """Train, choose the best weights, and calibrate them. The checkpoints stay until the scorer is saved."""
    from transformers import PreTrainedModel

    train, held_out = examples
    batch = sample(held_out, base.model)
    if config.calibration == "temperature":
        check_foldable(base.model, batch)
    checkpoints = mark_started(config.output, run.origin, overwrite=run.overwrite)
    rank = config.lora_rank
    learning = adapted(base, rank, config.lora_alpha or 2 * rank) if rank else base.model
    trainer = scorer_trainer(config, goal, learning, train, held_out, checkpoints=checkpoints, observer=run.observer)
    last = last_checkpoint(checkpoints)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    if trainer.state.global_step < trainer.state.max_steps:
        run.observer.noted(f"stopped early: no better choice in {config.patience} evaluations")
    model = in_full_precision(learning if isinstance(learning, PreTrainedModel) else merged(learning))

    logits = logits_of(model, held_out, config.batch_questions, config.max_batch_tokens)  # with the best weights
    fitted = _fitted(config, held_out, logits)
    if isinstance(fitted, TemperatureFit):
        fold(model, fitted.temperature, batch)
    elif fitted:
        run.observer.noted(f"the scores are not calibrated: {fitted}")
    best = trainer.state.best_global_step
    run.observer.noted(f"kept the weights of step {best} of {trainer.state.global_step}")
    curve = curve_of(trainer.state.log_history, goal)
    loss = next(entry["eval_loss"] for entry in curve if entry["step"] == best and "eval_loss" in entry)
    return Learned(model, logits, fitted, best, loss, curve)


def _fitted(
    config: Training, held_out: Sequence[Example], logits: Sequence[Sequence[float]]
) -> TemperatureFit | str | None:
    """The calibration, or why it is missing; None if it was not requested."""
    if config.calibration == "none":
        return None
    rollouts, targets = [example.rollout for example in held_out], [example.targets for example in held_out]
    try:
        return fit(rollouts, logits, targets)
    except InputError as error:
        return str(error)


def save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, manifest: Manifest) -> None:
    """Save the scorer, and remove the checkpoints of its training."""
    model.save_pretrained(folder)
    for file in folder.glob("*.safetensors"):  # by default only their owner can read them
        file.chmod((folder / "config.json").stat().st_mode)
    tokenizer.save_pretrained(folder)
    write_atomically(
        folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n"
    )  # last, because it marks the scorer as complete
    shutil.rmtree(folder / CHECKPOINTS)
