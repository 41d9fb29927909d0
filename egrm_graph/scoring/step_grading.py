"""How the settings say that paths are graded by their steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from egrm_graph.errors import SettingsError
from egrm_graph.scoring.scorer import Scorer, StepScorer
from egrm_graph.scoring.step_profile import ProfiledScorer, StepProfile
from egrm_graph.scoring.written_text import written
from egrm_graph.steps.aggregation import AGGREGATIONS
from egrm_graph.steps.cutting import ANCHORS, step_cutter
from egrm_graph.verification import Path

_SET_SCORER = "set scorer (--scorer) to one that `egrm train scorer` makes, or steps to 'none' (--steps none)"


@dataclass(frozen=True)
class StepGrading:
    """Where steps end, and how their scores become the score of a path."""

    rule: str
    """`lines`, `sentences`, `anchors`, or a regular expression that matches the end of a step."""
    aggregation: str
    profile: StepProfile = field(default_factory=StepProfile)
    """What the scorer says about the scores of steps."""

    @property
    def calibrated(self) -> bool:
        """Whether the score of a path is a calibrated probability."""
        return self.profile.calibrates(self.rule, self.aggregation)

    def aggregate(self, scores: Sequence[float]) -> float:
        """What the scores of a path's steps add up to, before calibration."""
        return AGGREGATIONS[self.aggregation](scores)

    def path_score(self, scores: Sequence[float]) -> float:
        """The score of a path, from those of its steps."""
        return self.profile.path_score(scores, self.rule, self.aggregation)

    def ends(self, path: Path) -> list[int]:
        """Where the steps of a path end, in characters of everything that the model wrote."""
        text = written(path)
        return step_ends_at_anchors(path, text) if self.rule == ANCHORS else step_cutter(self.rule)(text)


def step_ends_at_anchors(path: Path, text: str) -> list[int]:
    """The places of a path's anchors, and its end. A path of no tree has one step."""
    branch = path.get("branch")
    own = () if branch is None else (*branch["shared_ends"], *(anchor["end"] for anchor in branch["anchors"]))
    return [*sorted(place for place in set(own) if 0 < place < len(text)), len(text)]


def step_grading(scorer: Scorer | None, steps: str, aggregation: str) -> StepGrading | None:
    """What the settings `steps` and `aggregation` mean with this scorer; None if it grades only full paths.

    Raises:
        SettingsError: the scorer cannot score steps, `steps` is not a regular expression, or there is nothing to
            aggregate.
    """
    profile = scorer.step_profile if isinstance(scorer, ProfiledScorer) else StepProfile()
    rule = profile.steps if steps == "auto" else steps
    if rule is None and aggregation != "auto":
        raise SettingsError(
            f"aggregation={aggregation!r} combines the scores of steps, and no steps are scored; set steps (--steps) "
            "to where they end, such as 'lines', or leave aggregation out"
        )
    if rule is None or rule == "none":
        return None
    if not isinstance(scorer, StepScorer):
        lacking = "the graph has no scorer" if scorer is None else f"the scorer {scorer.name} only scores full paths"
        raise SettingsError(f"steps={steps!r} needs a scorer that scores steps, and {lacking}; {_SET_SCORER}")
    if profile.flaw is not None:
        raise SettingsError(f"steps={steps!r}, but {scorer.name} cannot score steps: {profile.flaw}")
    if rule != ANCHORS:
        step_cutter(rule)
    aggregation = profile.aggregation if aggregation == "auto" else aggregation
    return StepGrading(rule, aggregation, profile)
