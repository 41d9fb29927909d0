"""What a run found before it decides, and what the decision can rest on.

On the direct route the fast answers decide. On the reasoned route the paths' scores do; without any score the paths
vote, and without any answer from a path the fast answers are the best evidence left. Each step down this ladder makes
the result `degraded`, with one exception: a graph without a scorer votes by design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from egrm_graph.deciding.selection_rules import SelectionRule
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.settings import RunSettings
from egrm_graph.verification import Asked, Path, Reading, Route, Sample, Status, Uncertainty


@dataclass(frozen=True)
class Findings:
    """Everything that a task decides by."""

    asked: Asked
    settings: RunSettings
    route: Route
    uncertainty: Uncertainty
    samples: Sequence[Sample]
    readings: Sequence[Reading]
    paths: Sequence[Path]
    select: SelectionRule
    """Chooses among scored paths, as the setting `selection` says."""
    has_scorer: bool
    scores_calibrated: bool
    """Whether the scorer's scores were fitted to be probabilities."""
    lost: bool = False
    """Whether an earlier stage lost something, which makes any answer `degraded`."""

    @property
    def scored(self) -> bool:
        """Whether any path has a score."""
        return any(path["score"] is not None for path in self.paths)


class Basis(Enum):
    """What a decision rests on."""

    FAST_ANSWERS = "fast answers"
    SCORES = "scores"
    PATH_VOTES = "path votes"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Grounds:
    """The basis of a decision, why it is not a better one, and whether that makes the result `degraded`."""

    basis: Basis
    reasons: tuple[Reason, ...] = ()
    degraded: bool = False

    def status(self, *, lost: bool) -> Status:
        """The status of a decision on these grounds."""
        if self.basis is Basis.NOTHING:
            return "abstained"
        return "degraded" if self.degraded or lost else "ok"


def grounds_of(findings: Findings) -> Grounds:
    """The best grounds that the findings give."""
    if findings.route == "direct":
        return Grounds(Basis.FAST_ANSWERS)
    if findings.scored:
        return Grounds(Basis.SCORES)
    if any(path["answer"] is not None for path in findings.paths):
        tree = any(path.get("branch") for path in findings.paths)
        if not findings.has_scorer:
            code = ReasonCode.LEAVES_DECIDED_WITHOUT_SCORER if tree else ReasonCode.PATHS_VOTED_WITHOUT_SCORER
            return Grounds(Basis.PATH_VOTES, (code.reason(),))
        code = ReasonCode.LEAVES_DECIDED_UNSCORED if tree else ReasonCode.PATHS_VOTED_UNSCORED
        return Grounds(Basis.PATH_VOTES, (code.reason(),), degraded=True)
    if findings.uncertainty["votes"]:
        return Grounds(Basis.FAST_ANSWERS, (ReasonCode.FAST_ANSWERS_DECIDED.reason(),), degraded=True)
    return Grounds(Basis.NOTHING, (ReasonCode.NO_ANSWER.reason(),))
