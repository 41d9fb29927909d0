"""What all trainings of language models do: open the folder, load the base, learn, merge, and save."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from egrm_graph.errors import SetupError
from egrm_graph.fine_tuning.fine_tuning_output import save_language_model
from egrm_graph.fine_tuning.fine_tuning_settings import FineTuning
from egrm_graph.fine_tuning.language_model import LanguageModel, load_language_model
from egrm_graph.runtime.extras import require_extra
from egrm_graph.runtime.transformers_output import errors_only
from egrm_graph.training.lora import merged
from egrm_graph.training.output import last_checkpoint, mark_started, open_output
from egrm_graph.training.trainer import in_full_precision, on_gpu
from egrm_graph.training.trainer_callbacks import SilentObserver, TrainingObserver, observing

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer, TrainerCallback

BuildTrainer = Callable[[Path, Sequence["TrainerCallback"]], "Trainer"]
"""Builds a trainer, given the folder for its checkpoints and its callbacks."""
LEFT_OUT = ("runtime", "per_second", "step_time", "num_tokens")
"""Parts of the names of figures that depend on the clock or, as the number of tokens, on when a training resumed."""


class FineTuningRun(NamedTuple):
    """A training that is about to begin."""

    config: FineTuning
    origin: Mapping[str, Any]
    observer: TrainingObserver
    overwrite: bool

    def load(self) -> LanguageModel:
        """The model to start from. Seeds all random numbers first.

        Raises:
            ModelError: the base cannot be used.
        """
        from transformers import set_seed

        set_seed(self.config.seed)
        return load_language_model(self.config.base, half=self.config.lora_rank is not None and on_gpu())


class FineTuned(NamedTuple):
    """A trained model, with LoRA corrections merged."""

    model: PreTrainedModel
    curve: list[dict[str, float]]
    """The figures of each step that was logged. None depends on the clock."""


def run_fine_tuning(
    config: FineTuning,
    origin: Callable[[], Mapping[str, Any]],
    train: Callable[[FineTuningRun], None],
    *,
    resume: bool,
    overwrite: bool,
    observer: TrainingObserver | None,
) -> Path:
    """Run `train`, unless the model in the output folder is complete. Return that folder.

    Raises:
        SetupError: a package of the `train` extra is missing, or the loss is NaN or infinite.
        SettingsError: the training to resume was started with other settings or other data.
        InputError: the data cannot be used, or the output folder is in use.
        ModelError: the base model cannot be used.
    """
    lora = ["peft"] if config.lora_rank else []
    require_extra("train", "Training", "accelerate", "datasets", "matplotlib", "torch", "transformers", "trl", *lora)
    observer = observer or SilentObserver()
    known = origin()
    if not open_output(config, known, resume=resume, overwrite=overwrite):
        observer.noted(f"the model in {config.output} is complete")
        return config.output
    with errors_only(), warnings.catch_warnings():
        # peft and TRL use a deprecated name of transformers
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        train(FineTuningRun(config, known, observer, overwrite))
    return config.output


def fine_tune(
    run: FineTuningRun, build: BuildTrainer, callbacks: Sequence[TrainerCallback] = (), figures: Sequence[str] = ()
) -> FineTuned:
    """Train, from the last checkpoint if there is one. The checkpoints stay until the model is saved.

    `figures` names the held-out figures of the trainer that the observer gets, next to the loss.
    """
    checkpoints = mark_started(run.config.output, run.origin, overwrite=run.overwrite)
    trainer = build(checkpoints, [observing(run.observer, figures), _stop_at_nan(run.config), *callbacks])
    last = last_checkpoint(checkpoints)
    # A checkpoint has the loss from before the first step.
    trainer.args.eval_on_start = last is None and trainer.eval_dataset is not None
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return FineTuned(_merged(trainer.model), curve_of(trainer.state.log_history))


def finish(run: FineTuningRun, base: LanguageModel, tuned: FineTuned, manifest: Mapping[str, Any]) -> None:
    """Save the trained model with its manifest."""
    save_language_model(run.config.output, tuned.model, base.tokenizer, manifest)


def curve_of(history: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """The log of a trainer, without what depends on the clock, and without the summary at its end."""
    entries = [
        {
            name: value
            for name, value in sorted(entry.items())  # a checkpoint sorts them
            if isinstance(value, int | float) and not any(part in name for part in LEFT_OUT)
        }
        for entry in history
        if "train_runtime" not in entry
    ]
    return [{name: value for name, value in entry.items() if not math.isnan(value)} for entry in entries]


def _merged(model: Any) -> PreTrainedModel:
    from transformers import PreTrainedModel

    plain = model if isinstance(model, PreTrainedModel) else merged(model)
    return in_full_precision(plain)


def _stop_at_nan(config: FineTuning) -> TrainerCallback:
    """End the training when a loss is NaN or infinite, before anything is saved."""
    from transformers import TrainerCallback

    class StopAtNaN(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            loss = (logs or {}).get("loss")
            if loss is not None and not math.isfinite(loss):
                raise SetupError(
                    f"the loss is {loss} after {state.global_step} steps; start over with --overwrite and a learning "
                    f"rate below {config.rate}"
                )

    return StopAtNaN()
