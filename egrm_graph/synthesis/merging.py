"""The fourth stage: groups of units become the units of one judgment. No model takes part, so nothing new enters.

A merged unit has the name and the rule of its first source. Its judgment consists of judgments of its sources: those
that agree with its sub-verdict, or all of them if it is `MIXED`.

Source: the merge of Mix-GRM, arXiv:2603.01571. Differs: there, a model refines names and rules, and writes the merged
judgment and its verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from egrm_graph.judgments.judgment import MIXED, Judgment, Unit, majority_of
from egrm_graph.synthesis.grouping import Groups
from egrm_graph.synthesis.quotes import invented_sentences
from egrm_graph.synthesis.synthesis_row import Loss, SynthesisRow


@dataclass(frozen=True)
class MergedUnit:
    """A unit, and how many it was made of."""

    unit: Unit
    count: int


def merge(row: SynthesisRow) -> SynthesisRow:
    """The row with its merged judgment, of at most as many principles as the settings say (`principles`). Its verdict
    is the majority of the sub-verdicts or, without one, that of the rationales."""
    most = row.known.settings.principles
    ranked = merged_units(row.all_units, row.groups)
    if not ranked:
        return row.losing(Loss("merged", "no rationale has a unit"))
    used, rare = ranked[:most], ranked[most:]
    details = [f"{merged.unit.principle}, in {merged.count} of {len(row.all_units)} units" for merged in rare]
    row = row.losing(*(Loss("merged", "a principle is among the least frequent", detail) for detail in details))
    judgment = Judgment(None, tuple(merged.unit for merged in used), (), None)
    verdict = judgment.majority or majority_of([rationale.verdict for rationale in row.rationales])
    judgment = replace(judgment, verdict=verdict)
    text = "\n".join(f"{unit.principle}: {unit.rule}\n{unit.judgment}" for unit in judgment.units)
    measured = row.measured(row.stage_judgment("merged", judgment, len(text)))
    return replace(measured, merged=judgment, counts=tuple(merged.count for merged in used))


def merged_units(units: Sequence[Unit], groups: Groups) -> list[MergedUnit]:
    """The unit of each group, the most frequent first, and the first named of equals."""
    merged = [_merged([units[place] for place in group]) for group in sorted(groups)]
    return sorted(merged, key=lambda each: -each.count)


def merged_sub_verdict(sub_verdicts: Sequence[str]) -> str:
    """The most frequent sub-verdict; `MIXED` on a tie."""
    ranked = Counter(sub_verdicts).most_common(2)
    return MIXED if len(ranked) == 2 and ranked[0][1] == ranked[1][1] else ranked[0][0]


def _merged(sources: Sequence[Unit]) -> MergedUnit:
    sub_verdict = merged_sub_verdict([unit.sub_verdict for unit in sources])
    agreeing = [unit.judgment for unit in sources if sub_verdict in (MIXED, unit.sub_verdict)]
    judgment = "\n".join(dict.fromkeys(agreeing))
    assert not invented_sentences(judgment, [unit.judgment for unit in sources])
    first = sources[0]
    return MergedUnit(Unit(first.principle, first.rule, judgment, sub_verdict), len(sources))
