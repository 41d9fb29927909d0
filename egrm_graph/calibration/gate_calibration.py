"""A calibrated gate: what `egrm calibrate` found and promised, as a file that settings load."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from egrm_graph.errors import SettingsError
from egrm_graph.settings import TaskName, explain


class CalibrationWarning(UserWarning):
    """A run is not what its calibration was made for, so that what the calibration promises may not hold."""


class Step(NamedTuple):
    """From this value on, this share is right."""

    value: float
    probability: float
    """Estimated on the questions of the calibration; it carries no guarantee."""
    questions: int
    """How many it was estimated on."""


class Abstention(BaseModel):
    """Reasoned answers that are withheld, so that of the answers given few are wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    below: float
    """Reasoned answers with a lower confidence (the winner's score or, without scores, its share of the paths) are
    withheld; 2 withholds all of them."""
    target_risk: float
    """The promise, with the calibration's confidence: of the answers given, no more are wrong."""
    questions: int
    answered: int
    wrong: int


class GateCalibration(BaseModel):
    """The gate, what is promised of it, and what that rests on."""

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

    loss: Literal["excess", "error"]
    target_risk: float = Field(gt=0, lt=1)
    confidence: float = Field(gt=0, lt=1)
    """The promise: with this confidence the loss is under the target, for questions from where these came from."""
    gates: int
    """Pairs of a measure and a number of samples that were tried, and share the risk of a wrong promise."""
    questions: int
    """Those that the gate was chosen on: all that are labelled or, with an abstention, half of them."""
    losses: int
    """Those that the gate lost."""
    risk_bound: float
    """The largest risk that they leave possible, at the confidence that is left to this gate."""
    labelled: int
    direct: int
    """Labelled questions of which the fast answer is given."""
    direct_between: tuple[float, float]
    """The share of direct questions at large, 99.5 % interval; a run that departs from it warns."""
    abstention: Abstention | None = None

    scored: bool
    """Whether the confidence of a reasoned answer is its scorer's; else it is the share of the paths."""
    fast_right: tuple[Step, ...]
    """How often the fast answer is right, by certainty: the measure's value, negative for a measure of uncertainty."""
    reasoned_right: tuple[Step, ...]
    """How often the reasoned answer is right, by its confidence, of the questions that this gate hands on."""

    data: str
    """The name of the file with the labelled questions."""
    data_sha256: str
    versions: dict[str, str]

    @model_validator(mode="after")
    def _withholds_answers(self) -> Self:
        if self.abstention is not None and self.task not in ("answer", "arithmetic"):
            raise ValueError(f"answers are withheld from questions, and the task {self.task!r} judges candidates")
        return self


def probability(steps: Sequence[Step], value: float) -> float | None:
    """The share that is right at this value; below the first step, that of the first. None without steps."""
    if not steps:
        return None
    return steps[max(0, bisect_right([step.value for step in steps], value + 1e-9) - 1)].probability


def read_calibration(file: Path) -> GateCalibration:
    """The calibration in a file.

    Raises:
        SettingsError: there is none, or it is of another form.
    """
    try:
        return GateCalibration.model_validate_json(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"calibration={str(file)!r} cannot be read: {error}; `egrm calibrate` makes one") from error
    except ValidationError as error:
        told = explain(error)[:400]
        raise SettingsError(f"calibration={str(file)!r} is none of this version: {told}; calibrate anew") from error


def fitted_steps(values: Sequence[float], right: Sequence[bool]) -> tuple[Step, ...]:
    """How often what has a value is right, as steps that never fall: isotonic regression on the shares at each value.

    A share of k among n counts as (k + 1) / (n + 2), so that a few questions make no certainty.

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
