"""Train a discriminative scorer on a file of rollouts.

A model's weights are taken over, and it is given a head that gives one number. Each batch holds whole questions with
all of their paths, because pairs are formed within a question; a question whose paths are all right, or all wrong, has
no pair and still feeds the regression. The best weights by held-out choice are kept.

Source: E-GRM, arXiv:2604.10072.
Differs: the target is 1 for a path whose answer is right and 0 else; the checkpoint is chosen by the accuracy of the
top-scored path among sets of `best_of`, then by the share of pairs in order.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from egrm_graph.errors import InputError
from egrm_graph.runtime.extras import require_extra
from egrm_graph.runtime.transformers_output import without_chatter
from egrm_graph.scoring.checkpoint import MANIFEST, Manifest
from egrm_graph.scoring.scorer_loading import context_tokens
from egrm_graph.training.base_model import load_base
from egrm_graph.training.batches import Example, Preparation, logits_of, sample
from egrm_graph.training.best_of_n_curve import best_of_n_curve
from egrm_graph.training.figures import measure
from egrm_graph.training.lora import adapted, merged
from egrm_graph.training.output import last_checkpoint, mark_started, open_output, provenance, write_whole
from egrm_graph.training.report import Report, write_report
from egrm_graph.training.rollout_file import Rollout, split
from egrm_graph.training.temperature import Fit, check_foldable, fit, fold
from egrm_graph.training.trainer import curve_of, in_full_precision, on_gpu, scorer_trainer
from egrm_graph.training.trainer_callbacks import Unwatched, Watch
from egrm_graph.training.training_data import read_rollouts
from egrm_graph.training.training_settings import ScorerTraining

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def train_scorer(
    config: ScorerTraining, *, resume: bool = False, overwrite: bool = False, watch: Watch | None = None
) -> Path:
    """Trains a scorer, saves it with its report, and returns its folder, ready for `ClassifierScorer.load`.

    Deterministic on the CPU for a seed and a number of threads, also where it is killed and goes on by `resume`.

    Raises:
        SetupError: a package of the `train` extra is missing, or the loss is not a number any more.
        SettingsError: the training that is to go on was started with other settings or other data.
        InputError: the rollouts cannot be used, or the output folder is in use.
        ModelError: the base model cannot be used.
    """
    lora = ["peft"] if config.lora_rank else []
    require_extra("train", "Training", "accelerate", "matplotlib", "torch", "transformers", *lora)
    watch = watch or Unwatched()
    origin = provenance(config)
    if not open_output(config, origin, resume=resume, overwrite=overwrite):
        watch.told(f"the scorer in {config.output} is finished")
        return config.output
    with without_chatter():
        _train(config, origin, watch, overwrite=overwrite)
    return config.output


def _train(config: ScorerTraining, origin: Mapping[str, Any], watch: Watch, *, overwrite: bool) -> None:
    from transformers import PreTrainedModel, set_seed

    train, held_out = _read(config)
    set_seed(config.seed)
    base = load_base(config.base, half=config.lora_rank is not None and on_gpu())
    model, tokenizer = base.model, base.tokenizer
    if base.replaced:
        watch.told(f"the head of {config.base} gives more than one number, and is replaced by a new one that gives one")
    prepare = Preparation(tokenizer, config.template, context_tokens(model, tokenizer))
    examples, measured = prepare.examples(train), prepare.examples(held_out)
    _refuse_unlearnable(config, examples)
    _warn(prepare.left_out, len(measured), watch)
    batch = sample(measured, model)
    if config.calibration == "temperature":
        check_foldable(model, batch)

    checkpoints = mark_started(config.output, origin, overwrite=overwrite)
    learning = adapted(base, config.lora_rank, config.lora_alpha or 2 * config.lora_rank) if config.lora_rank else model
    trainer = scorer_trainer(config, learning, examples, measured, checkpoints=checkpoints, watch=watch)
    last = last_checkpoint(checkpoints)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    if trainer.state.global_step < trainer.state.max_steps:
        watch.told(f"stopped early: no better choice in {config.patience} evaluations")
    model = in_full_precision(learning if isinstance(learning, PreTrainedModel) else merged(learning))

    rollouts = [example.rollout for example in measured]
    logits = logits_of(model, measured, config.batch_questions, config.max_batch_tokens)  # of the best weights
    fitted = _fitted(config, rollouts, logits)
    if isinstance(fitted, Fit):
        fold(model, fitted.temperature, batch)
    elif fitted:
        watch.told(f"the scores are not calibrated: {fitted}")
    best = trainer.state.best_global_step
    watch.told(f"kept the weights of step {best} of {trainer.state.global_step}")
    curve = curve_of(trainer.state.log_history)
    loss = next(entry["eval_loss"] for entry in curve if entry["step"] == best and "eval_loss" in entry)
    manifest = Manifest.model_validate(
        {
            **origin,
            "calibration": fitted.calibration if isinstance(fitted, Fit) else None,
            "data": {**_sizes(examples, measured), "paths_left_out_as_empty_or_too_long": prepare.left_out},
            "held_out": {"loss": loss, **measure(rollouts, logits, config.best_of)._asdict()},
            "best_step": best,
        }
    )
    write_report(config.output, Report(manifest, curve, best_of_n_curve(rollouts, logits), fitted))
    _save(config.output, model, tokenizer, manifest)
    shutil.rmtree(checkpoints)


FEW = 30


def _warn(left_out: int, held_out: int, watch: Watch) -> None:
    if left_out:
        watch.told(f"{left_out} paths are empty or longer than the base model can read, and are left out")
    if held_out < FEW:
        watch.told(f"only {held_out} questions are held out, so that the choice of the weights is mostly chance")


def _fitted(config: ScorerTraining, rollouts: Sequence[Rollout], logits: Sequence[Sequence[float]]) -> Fit | str | None:
    """The calibration, or why there is none; None where none was wanted."""
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
            raise InputError(f"{len(shared)} questions are in both files, such as {min(shared)!r}; hold out others")
        return rollouts, held_out
    train, held_out = split(rollouts, config.held_out_share)
    if not train or not held_out:
        raise InputError(
            f"{len(rollouts)} questions in {config.rollouts} are too few to hold out a share of "
            f"{config.held_out_share}; give more of them, or a file with held-out rollouts"
        )
    return train, held_out


def _refuse_unlearnable(config: ScorerTraining, train: Sequence[Example]) -> None:
    targets = {target for example in train for target in example.targets}
    if len(targets) == 1:
        (target,) = targets
        kind = {0.0: "wrong", 1.0: "right"}.get(target, f"graded {target}")
        raise InputError(
            f"every path in {config.rollouts} that can be trained on is {kind}, and a scorer learns from their "
            "difference; draw more paths, or take easier or harder questions"
        )
    if config.weights.alpha == 1 and not any(len(set(example.targets)) > 1 for example in train):
        raise InputError(
            f"objective={config.objective} learns from a better and a worse path of one question, and no question in "
            f"{config.rollouts} has both; draw more paths a question, or take objective=regression"
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
    for file in folder.glob("*.safetensors"):  # which are written for their owner only
        file.chmod((folder / "config.json").stat().st_mode)
    tokenizer.save_pretrained(folder)
    write_whole(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")  # the last: now it is finished
