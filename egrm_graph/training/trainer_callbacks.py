"""What goes along with a training: somebody who watches, and an end where it does not get better any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from egrm_graph.training.figures import Figures

if TYPE_CHECKING:
    from transformers import TrainerCallback


TIE = 1e-9
"""What the loss weighs in the choice of the best weights: less than one pair more in order is worth, among any number
of them that is held out."""


class Watch(Protocol):
    """Is told how a training goes."""

    def started(self, n_steps: int) -> None: ...
    def stepped(self, step: int) -> None: ...
    def evaluated(self, step: int, figures: Mapping[str, float]) -> None:
        """`figures`: those of `Figures` that there are, and `loss`."""

    def told(self, message: str) -> None: ...


class Unwatched:
    """A `Watch` that looks away."""

    def started(self, n_steps: int) -> None: ...
    def stepped(self, step: int) -> None: ...
    def evaluated(self, step: int, figures: Mapping[str, float]) -> None: ...
    def told(self, message: str) -> None: ...


def watching(watch: Watch) -> TrainerCallback:
    """Tells the trainer's steps and figures to `watch`."""
    from transformers import TrainerCallback

    class Watching(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            watch.started(state.max_steps)
            watch.stepped(state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            watch.stepped(state.global_step)

        def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            found = kwargs["metrics"]
            figures = {name: found.get(f"eval_{name}") for name in ("loss", *Figures._fields)}
            watch.evaluated(state.global_step, {name: value for name, value in figures.items() if value is not None})

    return Watching()


def stopping(patience: int) -> TrainerCallback:
    """Ends the training after as many evaluations in a row that were not the best so far."""
    from transformers import EarlyStoppingCallback

    class Stopping(EarlyStoppingCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 all are passed
            # So it is only where the training was over when it was killed. The trainer takes one step more; nothing
            # comes of it, since the best weights are taken next.
            if self.early_stopping_patience_counter >= self.early_stopping_patience:
                control.should_log = control.should_evaluate = control.should_save = False
                control.should_training_stop = True

    return Stopping(patience, early_stopping_threshold=TIE)  # a smaller loss alone is not a better choice
