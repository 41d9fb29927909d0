"""Calibrates a trained scorer, and writes the temperature into its weights.

The held-out questions choose the best weights, fit the temperature, and give the figures. To keep the figures honest
about the temperature, they are cross-fitted: a hash of the ids splits the questions into halves, and each half is
measured with the temperature fitted on the other one. The temperature of the scorer is fitted on all questions. The
same questions also chose the weights among a few evaluations. This makes the figures slightly too good, and is not
corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from egrm_graph.errors import InputError, ModelError
from egrm_graph.scoring.score_calibration import (
    Bin,
    Calibration,
    bins_of_equal_mass,
    bins_of_equal_width,
    brier_score,
    calibration_error,
    fit_temperature,
    sigmoid,
)
from egrm_graph.training.rollout_file import Rollout, in_first_half

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Linear
    from transformers import PreTrainedModel


class Reliability(NamedTuple):
    """How close scores are to probabilities."""

    ece: float
    ece_equal_mass: float
    brier: float
    bins: list[Bin]
    """Bins of equal width."""


class TemperatureFit(NamedTuple):
    """A temperature, and how close the scores are to probabilities without and with it."""

    temperature: float
    temperatures_of_halves: tuple[float, float] | None
    """None if a half has too few mistakes to fit one. Then the figures come from the questions of the fit."""
    questions: int
    paths: int
    """Paths, or steps."""
    before: Reliability
    after: Reliability

    @property
    def calibration(self) -> Calibration:
        return Calibration(
            temperature=self.temperature,
            questions=self.questions,
            paths=self.paths,
            cross_fitted=self.temperatures_of_halves is not None,
            ece_before=self.before.ece,
            ece_after=self.after.ece,
            brier_before=self.before.brier,
            brier_after=self.after.brier,
        )


_Question = tuple[Rollout, Sequence[float], Sequence[float]]
"""A question with its logits and their targets."""


class _Scored(NamedTuple):
    logits: list[float]
    targets: list[float]

    @classmethod
    def of(cls, questions: Sequence[_Question]) -> _Scored:
        return cls(
            [logit for _, logits, _ in questions for logit in logits],
            [target for _, _, targets in questions for target in targets],
        )

    def scores(self, temperature: float = 1.0) -> list[float]:
        return [sigmoid(logit / temperature) for logit in self.logits]


def fit(
    rollouts: Sequence[Rollout], logits: Sequence[Sequence[float]], targets: Sequence[Sequence[float]]
) -> TemperatureFit:
    """Fit a temperature to held-out logits, a list per question. The figures are cross-fitted if possible.

    A logit is that of a path, or of a step.

    Raises:
        InputError: no temperature can be fitted. The message has the reason.
    """
    questions = list(zip(rollouts, logits, targets, strict=True))
    everything = _Scored.of(questions)
    temperature = fit_temperature(*everything)
    halves = [_Scored.of([q for q in questions if in_first_half(q[0]) is first]) for first in (True, False)]
    try:
        one, other = (fit_temperature(*half) for half in halves)
    except InputError:
        of_halves, after = None, _reliability(everything.scores(temperature), everything.targets)
    else:
        crossed = [*halves[0].scores(other), *halves[1].scores(one)]
        of_halves, after = (one, other), _reliability(crossed, [*halves[0].targets, *halves[1].targets])
    before = _reliability(everything.scores(), everything.targets)
    return TemperatureFit(temperature, of_halves, len(questions), len(everything.logits), before, after)


def _reliability(scores: Sequence[float], targets: Sequence[float]) -> Reliability:
    bins = bins_of_equal_width(scores, targets)
    mass = calibration_error(bins_of_equal_mass(scores, targets))
    return Reliability(calibration_error(bins), mass, brier_score(scores, targets), bins)


def fold(model: PreTrainedModel, temperature: float, batch: dict[str, Any]) -> None:
    """Divide the weights of the head, so the model's logits are divided by the temperature.

    Checks this on `batch`, an input of the model. Leaves the model in evaluation mode.

    Raises:
        ModelError: the logits do not scale. The weights are unchanged then.
    """
    import torch

    model.train(False)
    head = _head(model)
    before = _logits(model, batch)
    old = [weights.detach().clone() for weights in head.parameters()]
    with torch.no_grad():
        for weights in head.parameters():
            weights.div_(temperature)
    after = _logits(model, batch) * temperature
    rounding = 1e-4 if head.weight.dtype == torch.float32 else 2e-2
    if not torch.allclose(after, before, rtol=rounding, atol=rounding * float(before.abs().max())):
        with torch.no_grad():
            for weights, values in zip(head.parameters(), old, strict=True):
                weights.copy_(values)
        raise ModelError(
            f"{type(model).__name__} has a head whose logits do not scale with its last layer, so it cannot include a "
            "temperature; train with --calibration none"
        )


def check_foldable(model: PreTrainedModel, batch: dict[str, Any]) -> None:
    """Check before the training that `fold` will work. Powers of two restore the weights exactly.

    Raises:
        ModelError: it will not work.
    """
    fold(model, 2.0, batch)
    fold(model, 0.5, batch)


def _head(model: PreTrainedModel) -> Linear:
    """The last layer with one output, whatever its name."""
    import torch

    heads = [module for module in model.modules() if isinstance(module, torch.nn.Linear) and module.out_features == 1]
    if not heads:
        raise ModelError(f"{type(model).__name__} has no layer with one output; train with --calibration none")
    return heads[-1]


def _logits(model: PreTrainedModel, batch: dict[str, Any]) -> Tensor:
    import torch

    with torch.no_grad():
        logits: Tensor = model(**{name: tensor.to(model.device) for name, tensor in batch.items()}).logits
    return logits[:, 0].float()
