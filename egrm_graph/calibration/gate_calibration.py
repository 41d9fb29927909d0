"""A calibrated gate: what `egrm calibrate` found and guarantees, as a file that settings load."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from egrm_graph.errors import SettingsError
from egrm_graph.settings import TaskName, explain


class CalibrationWarning(UserWarning):
    """A run differs from what its calibration was made for, so its guarantee may not hold."""


class Step(NamedTuple):
    """From this value on, this share is right."""

    value: float
    probability: float
    """Estimated on the questions of the calibration, without a guarantee."""
    questions: int
    """How many it was estimated on."""


class Abstention(BaseModel):
    """Which reasoned answers are withheld, so that few of the answers given are wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    below: float
    """Reasoned answers with a lower confidence (the winner's score or, without scores, its share of the paths) are
    withheld; 2 withholds all of them."""
    target_risk: float
    """The guarantee, at the confidence of the calibration: at most this share of the answers given is wrong."""
    questions: int
    answered: int
    wrong: int


class GateCalibration(BaseModel):
    """The gate, its guarantee, and the evidence for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: Literal[1] = 1
    model: str
    task: TaskName
    measure: str
    samples: int = Field(ge=1)
    threshold: float
    """In the measure's own units."""
    higher_is_certain: bool
    """The measure's direction."""

    path_stopping: Literal["all", "posterior"] = "all"
    """The stopping rule for paths. Files of earlier versions have none: all paths were drawn."""
    path_confidence: float | None = Field(default=None, gt=0, lt=1)
    """The probability at which `posterior` stops. None for `all`, and so are the next two."""
    paths: int | None = Field(default=None, ge=1)
    """The maximum number of paths."""
    selection: str | None = None
    """How scored paths decide."""

    loss: Literal["excess", "error"]
    target_risk: float = Field(gt=0, lt=1)
    confidence: float = Field(gt=0, lt=1)
    """The guarantee: with this confidence the loss is below the target, for questions from the same source."""
    gates: int
    """Combinations of a measure, a number of samples, and a way to stop drawing paths that were tried; they share the
    risk of a wrong guarantee."""
    questions: int
    """Questions that the gate was chosen on: all labeled ones or, with an abstention, half of them."""
    losses: int
    """Questions that the gate lost."""
    risk_bound: float
    """The largest risk that they leave possible, at this gate's share of the confidence."""
    labelled: int
    direct: int
    """Labeled questions that take the direct route."""
    direct_between: tuple[float, float]
    """The share of direct questions in general, as a 99.5 % interval. Runs that leave it cause a warning."""
    abstention: Abstention | None = None

    scored: bool
    """Whether the confidence of a reasoned answer comes from the scorer; otherwise it is the share of the paths."""
    fast_right: tuple[Step, ...]
    """How often the fast answer is right, by certainty: the measure's value, negative for a measure of uncertainty."""
    reasoned_right: tuple[Step, ...]
    """How often the reasoned answer is right, by its confidence, among the questions that this gate reasons about."""

    data: str
    """The name of the file with the labeled questions."""
    data_sha256: str
    versions: dict[str, str]

    @property
    def run_settings(self) -> dict[str, Any]:
        """The settings of the runs that it was made for."""
        names = ("measure", "samples", "threshold", "path_stopping", "path_confidence", "paths", "selection")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _stops(self) -> Self:
        given = [value is not None for value in (self.path_confidence, self.paths, self.selection)]
        if any(given) != all(given) or all(given) != (self.path_stopping == "posterior"):
            raise ValueError(
                "path_stopping='posterior' comes with path_confidence, paths, and selection, and 'all' not"
            )
        return self

    @model_validator(mode="after")
    def _withholds_answers(self) -> Self:
        if self.abstention is not None and self.task not in ("answer", "arithmetic"):
            raise ValueError(f"only answers to questions can be withheld, and the task {self.task!r} judges candidates")
        return self


def probability(steps: Sequence[Step], value: float) -> float | None:
    """The share that is right at this value; below the first step, the share of the first step. None without steps."""
    if not steps:
        return None
    return steps[max(0, bisect_right([step.value for step in steps], value + 1e-9) - 1)].probability


def read_calibration(file: Path) -> GateCalibration:
    """The calibration in a file.

    Raises:
        SettingsError: the file is missing or not a calibration.
    """
    try:
        return GateCalibration.model_validate_json(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"calibration={str(file)!r} cannot be read: {error}; `egrm calibrate` makes one") from error
    except ValidationError as error:
        problem = explain(error)[:400]
        raise SettingsError(
            f"calibration={str(file)!r} does not fit this version: {problem}; calibrate again"
        ) from error


def fitted_steps(values: Sequence[float], right: Sequence[bool]) -> tuple[Step, ...]:
    """How often answers with each value are right, as steps that never fall: isotonic regression on the shares.

    A share of k out of n counts as (k + 1) / (n + 2), so that a few questions never give certainty.

    Source: Zadrozny & Elkan 2002. Differs: Laplace's rule on the shares.
    """
    import numpy as np
    from scipy.optimize import isotonic_regression

    known = np.isfinite(values)
    if not known.any():
        return ()
    levels, level = np.unique(np.asarray(values)[known], return_inverse=True)
    n = np.bincount(level)
    hits = np.bincount(level, weights=np.asarray(right, float)[known])
    pooled = isotonic_regression(hits / n, weights=n)
    starts = pooled.blocks[:-1]
    sizes, sums = np.add.reduceat(n, starts), np.add.reduceat(hits, starts)
    shares = isotonic_regression((sums + 1) / (sizes + 2), weights=sizes).x
    return tuple(
        Step(float(levels[start]) + 0.0, round(float(share), 6), int(size))
        for start, share, size in zip(starts, shares, sizes, strict=True)
    )
