"""Several measures as one: a logistic model of whether the fast answer can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from egrm_graph.errors import InputError, SettingsError
from egrm_graph.settings import explain
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import MEASURES, Measure, Need


@dataclass(frozen=True)
class Combination:
    """`sigmoid(intercept + sum weight * (value - mean) / scale)` over the measures of these names.

    All lists are as long as `names`. `dataclasses.asdict` gives what to save as JSON, and `loaded` takes it back.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def __post_init__(self) -> None:
        for field in ("means", "scales", "weights"):
            values: tuple[float, ...] = getattr(self, field)
            if len(values) != len(self.names):
                raise SettingsError(f"a combination of {len(self.names)} measures has {len(values)} {field}; fit anew")
            if not all(map(math.isfinite, values)) or (field == "scales" and min(values, default=1.0) <= 0):
                raise SettingsError(f"a combination has the {field} {values}; fit anew")
        if not math.isfinite(self.intercept):
            raise SettingsError(f"a combination has the intercept {self.intercept}; fit anew")

    def probability(self, values: Sequence[float]) -> float:
        """Of what it was fitted on, in [0, 1], at these values of the measures; NaN where one of them is."""
        terms = zip(self.weights, values, self.means, self.scales, strict=True)
        logit = self.intercept + sum(weight * (value - mean) / scale for weight, value, mean, scale in terms)
        # Both halves of the sigmoid, so that neither overflows; NaN stays NaN.
        return math.exp(logit) / (1 + math.exp(logit)) if logit < 0 else 1 / (1 + math.exp(-logit))

    def measure(
        self, *, name: str = "combination", threshold: float = 0.8, measures: Mapping[str, Measure] = MEASURES
    ) -> Measure:
        """The combination as a measure; higher is more certain. It needs what any of its measures needs.

        Raises:
            SettingsError: one of its names is not among `measures`.
        """
        if unknown := [each for each in self.names if each not in measures]:
            raise SettingsError(
                f"there is no measure {unknown[0]!r} to combine; hand it to `measures`, known are {', '.join(measures)}"
            )
        parts = [measures[each] for each in self.names]
        needs: tuple[Need, ...] = tuple(dict.fromkeys(need for part in parts for need in part.needs))

        def value(evidence: Evidence) -> float:
            return self.probability([part.value(evidence) for part in parts])

        return Measure(name, value, threshold, higher_is_certain=True, needs=needs)


def loaded(saved: Mapping[str, Any]) -> Combination:
    """A combination as `dataclasses.asdict` gave it, through JSON or not.

    Raises:
        SettingsError: it is not one.
    """
    try:
        return TypeAdapter(Combination).validate_python(saved)
    except ValidationError as error:
        raise SettingsError(f"this is no saved combination: {explain(error)}") from error


def fit(
    names: Sequence[str], features: Sequence[Sequence[float]], labels: Sequence[bool], *, l2: float = 1.0
) -> Combination:
    """The combination of the least log loss, summed over the rows, plus `l2 / 2 * |weights|^2`.

    `features` are (n, d): the measures' values, a row a question. `labels` are (n,): whether the fast answer could be
    trusted. The penalty is on the weights of standardised measures; a measure that never changes gets the weight 0.

    Raises:
        InputError: there is nothing to fit; says why.
    """
    _check(names, features, labels, l2)
    import torch

    x = torch.tensor(features, dtype=torch.float64)  # (n, d)
    y = torch.tensor(labels, dtype=torch.float64)  # (n,)
    means, spread = x.mean(dim=0), x.std(dim=0, correction=0)
    constant = spread <= 1e-12 * x.abs().amax(dim=0)
    scales = spread.masked_fill(constant, 1.0)
    standard = ((x - means) / scales).masked_fill(constant, 0.0)
    weights = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    intercept = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights, intercept], max_iter=500, tolerance_grad=1e-9, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        logits = standard @ weights + intercept
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="sum")
        loss = loss + l2 / 2 * weights.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return Combination(
        names=tuple(names),
        means=tuple(means.tolist()),
        scales=tuple(scales.tolist()),
        weights=tuple(weights.tolist()),
        intercept=intercept.item(),
    )


def _check(names: Sequence[str], features: Sequence[Sequence[float]], labels: Sequence[bool], l2: float) -> None:
    if not names or not l2 > 0:
        raise InputError(f"{len(names)} measures with l2={l2} cannot be fitted; give at least one, and l2 above 0")
    if len(features) != len(labels) or any(len(row) != len(names) for row in features):
        raise InputError(
            f"there are {len(features)} rows and {len(labels)} labels for {len(names)} measures; give a label a row, "
            "and a value a measure"
        )
    unknown = sum(not all(map(math.isfinite, row)) for row in features)
    if unknown:
        raise InputError(f"{unknown} of {len(features)} rows hold a value that is not a number; leave them out")
    if len(set(map(bool, labels))) < 2:
        raise InputError(f"all {len(labels)} labels are alike; a fit needs answers that can be trusted and others")
