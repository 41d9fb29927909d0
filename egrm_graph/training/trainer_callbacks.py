"""Callbacks of a training: an observer of its progress, and early stopping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from transformers import TrainerCallback


TIE = 1e-9
"""The weight of the loss in the choice of the best weights. It is smaller than the value of one more pair in order,
however many pairs are held out."""


class TrainingObserver(Protocol):
    """Observes the progress of a training."""

    def started(self, n_steps: int) -> None: ...
    def stepped(self, step: int) -> None: ...
    def evaluated(self, step: int, figures: Mapping[str, float]) -> None:
        """`figures` has the known figures of the training's goal, and `loss` if it was measured."""

    def noted(self, message: str) -> None: ...


class SilentObserver:
    """A `TrainingObserver` that does nothing."""

    def started(self, n_steps: int) -> None: ...
    def stepped(self, step: int) -> None: ...
    def evaluated(self, step: int, figures: Mapping[str, float]) -> None: ...
    def noted(self, message: str) -> None: ...


def observing(observer: TrainingObserver, figure_names: Sequence[str]) -> TrainerCallback:
    """Report the steps and these figures of the trainer to `observer`."""
    from transformers import TrainerCallback

    class Observing(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            observer.started(state.max_steps)
            observer.stepped(state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            observer.stepped(state.global_step)

        def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            metrics = kwargs["metrics"]
            figures = {name: metrics.get(f"eval_{name}") for name in ("loss", *figure_names)}
            observer.evaluated(state.global_step, {name: value for name, value in figures.items() if value is not None})

    return Observing()


def stopping(patience: int) -> TrainerCallback:
    """End the training after this many evaluations in a row without a new best."""
    from transformers import EarlyStoppingCallback

    class Stopping(EarlyStoppingCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            # This holds only if the training had ended before it was killed. The trainer takes one more step, without
            # any effect, because the best weights are loaded next.
            if self.early_stopping_patience_counter >= self.early_stopping_patience:
                control.should_log = control.should_evaluate = control.should_save = False
                control.should_training_stop = True

    return Stopping(patience, early_stopping_threshold=TIE)  # a smaller loss alone is not a better choice
