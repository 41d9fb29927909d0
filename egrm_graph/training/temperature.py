"""Calibrates a trained scorer, and writes the temperature into its weights.

The held-out questions choose the best weights, fit the temperature and are what the figures are measured on. So that
the figures are honest about the temperature all the same, they are cross-fitted: each half of the questions, by a hash
of their ids, is measured with the temperature that was fitted on the other half. The temperature that the scorer gets
is fitted on all of them. That the weights were chosen on the same questions, among a few evaluations, flatters them a
little, and is not corrected for.
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
    """How far scores are probabilities."""

    ece: float
    ece_equal_mass: float
    brier: float
    bins: list[Bin]
    """Of equal width."""


class Fit(NamedTuple):
    """A temperature, and how far the scores are probabilities without and with it."""

    temperature: float
    temperatures_of_halves: tuple[float, float] | None
    """None where a half had too few mistakes for one: then the figures with it are of what it was fitted on."""
    questions: int
    paths: int
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


class _Paths(NamedTuple):
    logits: list[float]
    targets: list[float]

    @classmethod
    def of(cls, questions: Sequence[tuple[Rollout, Sequence[float]]]) -> _Paths:
        targets = [path.target for rollout, _ in questions for path in rollout.paths]
        return cls([logit for _, logits in questions for logit in logits], targets)

    def scores(self, temperature: float = 1.0) -> list[float]:
        return [sigmoid(logit / temperature) for logit in self.logits]


def fit(rollouts: Sequence[Rollout], logits: Sequence[Sequence[float]]) -> Fit:
    """The temperature for held-out logits, given question by question, and the figures, cross-fitted where they can be.

    Raises:
        InputError: none can be fitted; says why.
    """
    questions = list(zip(rollouts, logits, strict=True))
    every = _Paths.of(questions)
    temperature = fit_temperature(*every)
    halves = [_Paths.of([q for q in questions if in_first_half(q[0]) is first]) for first in (True, False)]
    try:
        one, other = (fit_temperature(*half) for half in halves)
    except InputError:
        of_halves, after = None, _reliability(every.scores(temperature), every.targets)
    else:
        crossed = [*halves[0].scores(other), *halves[1].scores(one)]
        of_halves, after = (one, other), _reliability(crossed, [*halves[0].targets, *halves[1].targets])
    before = _reliability(every.scores(), every.targets)
    return Fit(temperature, of_halves, len(questions), len(every.logits), before, after)


def _reliability(scores: Sequence[float], targets: Sequence[float]) -> Reliability:
    bins = bins_of_equal_width(scores, targets)
    mass = calibration_error(bins_of_equal_mass(scores, targets))
    return Reliability(calibration_error(bins), mass, brier_score(scores, targets), bins)


def fold(model: PreTrainedModel, temperature: float, batch: dict[str, Any]) -> None:
    """Divides the head's weights, so that the model's own logits are those over the temperature.

    `batch` is what the model is called with, to see that they are. Leaves the model in evaluation mode.

    Raises:
        ModelError: they are not; the weights are as before.
    """
    import torch

    model.train(False)
    head = _head(model)
    before = _logits(model, batch)
    kept = [weights.detach().clone() for weights in head.parameters()]
    with torch.no_grad():
        for weights in head.parameters():
            weights.div_(temperature)
    after = _logits(model, batch) * temperature
    rounding = 1e-4 if head.weight.dtype == torch.float32 else 2e-2
    if not torch.allclose(after, before, rtol=rounding, atol=rounding * float(before.abs().max())):
        with torch.no_grad():
            for weights, old in zip(head.parameters(), kept, strict=True):
                weights.copy_(old)
        raise ModelError(
            f"{type(model).__name__} has a head whose logits do not scale with its last layer, so that no temperature "
            "can be written into it; train with --calibration none"
        )


def check_foldable(model: PreTrainedModel, batch: dict[str, Any]) -> None:
    """Sees before the training that `fold` will work; by powers of two, so that the weights come back exactly.

    Raises:
        ModelError: it will not.
    """
    fold(model, 2.0, batch)
    fold(model, 0.5, batch)


def _head(model: PreTrainedModel) -> Linear:
    """The last layer with one output, whatever the architecture calls it."""
    import torch

    found = [module for module in model.modules() if isinstance(module, torch.nn.Linear) and module.out_features == 1]
    if not found:
        raise ModelError(f"{type(model).__name__} has no layer with one output; train with --calibration none")
    return found[-1]


def _logits(model: PreTrainedModel, batch: dict[str, Any]) -> Tensor:
    import torch

    with torch.no_grad():
        logits: Tensor = model(**{name: tensor.to(model.device) for name, tensor in batch.items()}).logits
    return logits[:, 0].float()
