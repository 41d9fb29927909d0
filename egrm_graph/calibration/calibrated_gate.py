"""A run under a calibrated gate: its settings, its confidence, what it withholds, and what it warns about."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

from egrm_graph.calibration.gate_calibration import CalibrationWarning, GateCalibration, probability, read_calibration
from egrm_graph.calibration.rate_watch import RateWatch
from egrm_graph.deciding.decision import Decision
from egrm_graph.errors import SettingsError
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.verification import Path, Route, Uncertainty

SAME_ROUTE = ("decided", "all")
"""The stopping rules under which a run takes the same route as with all M fast answers."""


@dataclass(frozen=True)
class CalibratedGate:
    """A calibration in use. Its promise only covers runs with its own gate."""

    found: GateCalibration
    foreign: bool
    """Whether it was made for another model or task, or for answers chosen in another way."""
    watch: RateWatch

    def holds_for(self, settings: RunSettings) -> bool:
        """Whether the calibration was made for runs with these settings."""
        same = all(getattr(settings, name) == value for name, value in self.found.run_settings.items())
        return same and not self.foreign and settings.stopping in SAME_ROUTE

    def applied(self, decision: Decision, route: Route, uncertainty: Uncertainty, paths: Sequence[Path]) -> Decision:
        """The decision with a calibrated confidence, if there is one; a reasoned answer may be withheld."""
        among_paths = self._reasoned(decision, paths) if route == "reasoned" else None
        if route == "direct" and uncertainty["value"] is not None and decision.status != "abstained":
            all_drawn = uncertainty["samples"] == uncertainty["planned"]
            found = self._direct(uncertainty["value"] if all_drawn else None)
        else:
            found = None if among_paths is None else probability(self.found.reasoned_right, among_paths)
        decision = decision if found is None else replace(decision, confidence=found, calibrated=True)
        # The promise is about the confidence among the paths; the calibrated one only knows its steps.
        abstention = self.found.abstention if route == "reasoned" else None
        return (
            decision
            if abstention is None
            else decision.withheld_below(abstention.below, "the calibration's", among_paths)
        )

    def saw(self, route: Route, uncertainty: Uncertainty) -> None:
        """Counts a run, and warns once if the share of direct runs leaves the range of the calibration. A run that had
        nothing to draw does not count."""
        if uncertainty["planned"] and self.watch.saw(direct=route == "direct"):
            low, high = self.found.direct_between
            share = f"{self.watch.n_direct} of {self.watch.n} runs so far took the direct route"
            warnings.warn(
                f"{share}, but the calibration expects {low:.1%} to {high:.1%}: the questions have changed, and its "
                "promise may not hold; label some of the new ones and calibrate again",
                CalibrationWarning,
                stacklevel=2,
            )

    def _direct(self, value: float | None) -> float | None:
        """How often a direct answer is right at this value. Without a value, because drawing stopped before all votes
        were drawn, how often any direct answer is."""
        sign = 1 if self.found.higher_is_certain else -1
        if value is not None:
            return probability(self.found.fast_right, sign * value)
        opens = [step for step in self.found.fast_right if step.value >= sign * self.found.threshold - 1e-9]
        n = sum(step.questions for step in opens)
        return sum(step.probability * step.questions for step in opens) / n if n else None

    def _reasoned(self, decision: Decision, paths: Sequence[Path]) -> float | None:
        """The confidence in a reasoned answer, if it is of the kind that was calibrated."""
        if all(path["answer"] is None for path in paths):
            return None  # the fast answers decided
        return decision.confidence if (decision.best_path is not None) == self.found.scored else None


def calibrated(
    settings: Settings, *, has_scorer: bool, judges: bool, reads_labels: bool
) -> tuple[Settings, CalibratedGate | None]:
    """The settings with the gate of their calibration, and the calibration; None if they have none.

    Warns if it was made for something else.

    Raises:
        SettingsError: the file cannot be used, or a setting contradicts it.
    """
    if settings.calibration is None:
        return settings, None
    found = read_calibration(settings.calibration)
    for name, value in found.run_settings.items():
        given = getattr(settings, name)
        if name in settings.model_fields_set and given not in (value, None, "auto"):
            raise SettingsError(
                f"{name}={given!r} contradicts the calibration {str(settings.calibration)!r}, whose gate has "
                f"{value!r}; leave {name} out, or the calibration"
            )
    if judges and reads_labels and settings.label_probabilities != "never":
        raise SettingsError(
            f"label_probabilities={settings.label_probabilities!r} reads verdicts from probabilities, and the "
            f"calibration {str(settings.calibration)!r} is for verdicts that are drawn; set it to 'never'"
        )
    differences = _differences(found, settings, has_scorer=has_scorer, judges=judges)
    if differences:
        warnings.warn(
            f"the calibration {str(settings.calibration)!r} was made for {' and '.join(differences)}: its gate is "
            "used, but none of its promises hold; calibrate again",
            CalibrationWarning,
            stacklevel=2,
        )
    calibrated_settings = settings.model_copy(update=found.run_settings)
    return calibrated_settings, CalibratedGate(found, bool(differences), RateWatch(found.direct_between))


def _differences(found: GateCalibration, settings: Settings, *, has_scorer: bool, judges: bool) -> list[str]:
    differences = []
    if found.model != settings.model:
        differences.append(f"the model {found.model!r}, not {settings.model!r}")
    if found.task != settings.task_name:
        differences.append(f"the task {found.task!r}, not {settings.task_name!r}")
    if found.scored != has_scorer and not judges:
        differences.append("paths with a scorer" if found.scored else "paths without a scorer")
    if settings.stopping not in SAME_ROUTE:
        differences.append(f"all votes, not those until the rule {settings.stopping!r} stops")
    return differences
