"""A judgment as data: what a judge found under each principle, and its verdict.

Source: Mix-GRM, arXiv:2603.01571.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from egrm_graph.verification import JudgmentUnit, PathJudgment, Structure

MIXED = "MIXED"
"""The sub-verdict of a principle that favors no candidate."""
BREADTH_AT = 4
"""A judgment without a solution covers breadth from this many principles on. Differs: the paper counts principles, too,
and gives no number."""


@dataclass(frozen=True)
class Unit:
    """What a judge found under one principle."""

    principle: str
    """Its name."""
    rule: str
    """What the principle asks of a candidate."""
    judgment: str
    """How the candidates meet it."""
    sub_verdict: str
    """The label that this principle favors, or `MIXED`."""


@dataclass(frozen=True)
class Judgment:
    """A judge's reasoning, read. Labels are those of the text, or outcomes after `renamed`."""

    solution: str | None
    """The judge's own solution of the task; None if it wrote none."""
    units: tuple[Unit, ...]
    lost: tuple[str, ...]
    """Why each part that could not be read is missing from the units."""
    verdict: str | None
    """None if it could not be read."""

    @property
    def structure(self) -> Structure:
        """`depth` if there is a solution; `breadth` if there are at least `BREADTH_AT` different principles; else
        `plain`. Principles with the same name, in upper or lower case, count once."""
        if self.solution is not None:
            return "depth"
        return "breadth" if len({unit.principle.casefold() for unit in self.units}) >= BREADTH_AT else "plain"

    @property
    def majority(self) -> str | None:
        """The majority of the units' sub-verdicts; see `majority_of`."""
        return majority_of([unit.sub_verdict for unit in self.units])

    @property
    def consistent(self) -> bool | None:
        """Whether that majority is the verdict; None if one of them is missing."""
        majority = self.majority
        return None if majority is None or self.verdict is None else majority == self.verdict

    def renamed(self, names: Mapping[str, str]) -> Judgment:
        """The judgment with each label replaced by its name. A label without a name is unchanged, such as `MIXED`."""
        units = (replace(unit, sub_verdict=names.get(unit.sub_verdict, unit.sub_verdict)) for unit in self.units)
        verdict = None if self.verdict is None else names.get(self.verdict, self.verdict)
        return replace(self, units=tuple(units), verdict=verdict)

    def as_record(self) -> PathJudgment:
        """The judgment as plain values. The verdict is not part of them: a record has it as the path's answer."""
        return PathJudgment(
            structure=self.structure,
            solution=self.solution,
            units=[JudgmentUnit(**asdict(unit)) for unit in self.units],
            lost=list(self.lost),
            consistent=self.consistent,
        )


def majority_of(sub_verdicts: Sequence[str]) -> str | None:
    """The most frequent sub-verdict; None if there is none, or a tie between several. `MIXED` favors nothing, so it
    does not count."""
    ranked = Counter(each for each in sub_verdicts if each != MIXED).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]
