"""The transformers `Trainer` of a scorer: its batches, the choice of its best weights, and its callbacks.

The training depends only on the settings and the data, so a training that was killed and resumed ends with the same
weights. It reads no clock, and each reported loss covers steps up to a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from egrm_graph.errors import SetupError
from egrm_graph.training.batches import Example, collator, group, in_parts, of_parts, read_logits
from egrm_graph.training.trainer_callbacks import TIE, TrainingObserver, observing, stopping
from egrm_graph.training.training_settings import Training

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, Trainer, TrainingArguments


class Goal(Protocol):
    """What a scorer learns, and how its progress is measured."""

    @property
    def compares_paths(self) -> bool:
        """Whether the loss compares the paths of a question, so that they have to share a batch."""
        ...

    @property
    def figure_names(self) -> Sequence[str]:
        """The names of the held-out figures."""
        ...

    def loss(self, logits: Tensor, targets: Tensor, groups: Tensor) -> Tensor:
        """The loss of a batch. `groups` has the number of each logit's question. All are (M,)."""
        ...

    def figures(self, held_out: Sequence[Example], logits: Sequence[Sequence[float]]) -> Mapping[str, float | None]:
        """The held-out figures; None for one that could not be measured."""
        ...

    def selection(self, figures: Mapping[str, float | None]) -> float:
        """The number that the best weights are chosen by. The loss only breaks ties (see `evaluation_loop`), so the
        choice is fair between objectives."""
        ...


def scorer_trainer(
    config: Training,
    goal: Goal,
    model: PreTrainedModel | PeftModel,
    train: Sequence[Example],
    held_out: Sequence[Example],
    *,
    checkpoints: Path,
    observer: TrainingObserver,
) -> Trainer:
    """A trainer that is ready to `train`."""
    import torch
    from transformers import PrinterCallback, Trainer

    pad_id = model.config.get_text_config().pad_token_id
    learned, measured = train, held_out
    if not goal.compares_paths:
        learned, measured = (in_parts(examples, config.max_batch_tokens) for examples in (train, held_out))

    class ScorerTrainer(Trainer):
        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,  # noqa: ARG002 the objective takes its own mean over a batch
        ) -> Any:
            logits = read_logits(model, inputs)  # (M,)
            loss = goal.loss(logits, inputs["labels"], inputs["groups"])
            if not torch.isfinite(loss):
                raise SetupError(
                    f"the loss is {loss.item()} after {self.state.global_step} steps, and nothing was saved; start "
                    f"over with --overwrite and a learning rate below {config.learning_rate}"
                )
            return (loss, {"loss": loss, "logits": logits}) if return_outputs else loss

        def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
            output = super().evaluation_loop(*args, **kwargs)
            # If two evaluations choose equally well, the one with the smaller loss is better. Otherwise the first one
            # would be kept, which may have learned almost nothing.
            metrics = output.metrics or {}
            loss = metrics["eval_loss"]
            metrics["eval_selection"] -= TIE * loss / (1 + loss)
            return output

        def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:  # noqa: ARG002 only one exists
            batches: Any = group(measured, config.batch_questions, config.max_batch_tokens)
            return torch.utils.data.DataLoader(batches, collate_fn=collator(measured, pad_id))

    batches: Any = group(learned, config.batch_questions, config.max_batch_tokens)  # a list works as a data set
    placeholder: Any = [[]]  # the batches come from get_eval_dataloader
    trainer = ScorerTrainer(
        model=model,
        args=_arguments(config, len(batches), checkpoints),
        train_dataset=batches,
        eval_dataset=placeholder,
        data_collator=collator(learned, pad_id),
        compute_metrics=_metrics(goal, held_out, len(measured)),
        callbacks=[observing(observer, goal.figure_names), *([stopping(config.patience)] if config.patience else [])],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def checkpointing_arguments(*, on: bool) -> dict[str, Any]:
    """The arguments that trade time for memory. Later versions of transformers than verl and vLLM pin renamed them."""
    from transformers import TrainingArguments

    renamed = hasattr(TrainingArguments, "activation_checkpointing")
    name = "activation_checkpointing" if renamed else "gradient_checkpointing"
    return {name: True, f"{name}_kwargs": {"use_reentrant": False}} if on else {name: False}


def _arguments(config: Training, n_batches: int, checkpoints: Path) -> TrainingArguments:
    import torch
    from transformers import TrainingArguments

    interval = max(1, n_batches * config.epochs // config.evaluations)
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=1,  # one item of the data set is a batch
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        weight_decay=0.01,
        max_grad_norm=1.0,
        logging_steps=interval // next(n for n in (4, 3, 2, 1) if interval % n == 0),
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=interval,
        save_strategy="steps",
        save_steps=interval,
        save_total_limit=2,  # the best and the last; with 1, the last would be deleted before the scorer is saved
        load_best_model_at_end=True,
        metric_for_best_model="selection",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        label_names=["labels", "groups"],
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu(),
        use_cpu=not on_gpu(),
        bf16=config.precision == "bfloat16"
        or (config.precision == "auto" and on_gpu() and torch.cuda.is_bf16_supported()),
        **checkpointing_arguments(on=config.gradient_checkpointing),
        seed=config.seed,
        report_to=[],
        disable_tqdm=True,
    )


def _metrics(goal: Goal, held_out: Sequence[Example], n_parts: int) -> Callable[[Any], dict[str, float]]:
    """Turns the held-out logits into figures, and into the number that the best weights are chosen by."""

    def metrics(prediction: Any) -> dict[str, float]:
        logits: list[list[float]] = [[] for _ in range(n_parts)]
        for part, logit in zip(prediction.label_ids[1].tolist(), prediction.predictions.tolist(), strict=True):
            logits[part].append(logit)
        figures = goal.figures(held_out, of_parts(held_out, logits))
        known = {name: value for name, value in figures.items() if value is not None}
        return {"selection": goal.selection(figures), **known}

    return metrics


def in_full_precision(model: PreTrainedModel) -> PreTrainedModel:
    """Remove the wrapper around `forward` that trains in reduced precision on a GPU."""
    for name in ("forward", "_original_forward"):
        model.__dict__.pop(name, None)
    return model


def curve_of(history: Sequence[Mapping[str, float]], goal: Goal) -> list[dict[str, float]]:
    """The log of the trainer, with only the values that are the same in every run. None depends on the clock."""
    figures = ("selection", "loss", *goal.figure_names)
    names = ("step", "epoch", "loss", "learning_rate", "grad_norm", *(f"eval_{name}" for name in figures))
    entries = [{name: entry[name] for name in names if name in entry} for entry in history]
    return [entry for entry in entries if "loss" in entry or "eval_loss" in entry]
