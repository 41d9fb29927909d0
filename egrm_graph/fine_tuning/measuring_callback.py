"""Callbacks of a training that measures its model, or learns from rewards."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from egrm_graph.training.trainer_callbacks import TrainingObserver

if TYPE_CHECKING:
    from transformers import TrainerCallback

MeasureModel = Callable[[], Mapping[str, float]]
"""Measures the model as it is now."""


def measuring(measure: MeasureModel, every: int, observer: TrainingObserver) -> TrainerCallback:
    """Measure the model before the training, every so many steps, and after the last one.

    The figures go to the trainer's log, after `eval_`. A checkpoint has them, so a resumed training knows them.
    """
    import torch
    from transformers import TrainerCallback

    class Measuring(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            if state.global_step == 0:
                self._record(state, kwargs["model"])

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            if state.global_step % every == 0 or state.global_step == state.max_steps:
                self._record(state, kwargs["model"])

        def _record(self, state: Any, model: Any) -> None:
            training = model.training
            model.eval()
            with torch.no_grad():
                figures = dict(measure())
            model.train(training)
            named = {f"eval_{name}": value for name, value in figures.items()}
            state.log_history.append({"step": state.global_step, "epoch": state.epoch or 0.0, **named})
            observer.evaluated(state.global_step, figures)

    return Measuring()


def noting(names: Mapping[str, str], observer: TrainingObserver) -> TrainerCallback:
    """Note these figures of the trainer's log, each with its label, whenever it logs them. A mean over nothing, such as
    the reward of a step without rewards, is logged as None or NaN, and left out."""
    from transformers import TrainerCallback

    class Noting(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            known = {
                name: value
                for name, value in (logs or {}).items()
                if isinstance(value, int | float) and not math.isnan(value)
            }
            parts = [f"{label} {known[name]:.3g}" for name, label in names.items() if name in known]
            if parts:
                observer.noted(f"step {state.global_step} of {state.max_steps}: {', '.join(parts)}")

    return Noting()


def figures_at(curve: list[dict[str, float]], *, last: bool) -> dict[str, float]:
    """The held-out figures before the training or, with `last`, after it."""
    measured: dict[str, float] = {}
    for entry in reversed(curve) if last else curve:
        for name, value in entry.items():
            if name.startswith("eval_"):
                measured.setdefault(name.removeprefix("eval_"), value)
    return measured
