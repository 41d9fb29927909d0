"""Figures about judgments: how many verdicts are right, how long they are, and whether their structure fits.

A verdict that cannot be read, or that is a tie in place of a winner, counts in two ways, because published figures
differ by it: as wrong (strict), or as half right, as in RewardBench (Lambert et al. 2024, arXiv:2403.13787).

A structure fits its domain if it covers breadth where preferences decide, and depth where correctness does. Source:
Mix-GRM, arXiv:2603.01571.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from types import MappingProxyType
from typing import NamedTuple, Self

from egrm_graph.deciding.verdict_parsers import rewardbench_score
from egrm_graph.fine_tuning.judged_pairs import Domain, JudgedPair
from egrm_graph.tasks.judging import Judging
from egrm_graph.verification import Path, Structure, View

FITTING: Mapping[Domain, Structure] = MappingProxyType({"preference": "breadth", "correctness": "depth"})
"""The structure that fits each domain."""


class LabeledJudgment(NamedTuple):
    """One judgment of a pair whose right verdict is known."""

    reference: str
    verdict: str | None
    """None if it cannot be read."""
    n_tokens: int
    structure: Structure | None = None
    """None if judgments have no structure in their format."""
    domain: Domain | None = None

    @classmethod
    def read(cls, task: Judging, pair: JudgedPair, view: View, text: str, n_tokens: int, *, complete: bool) -> Self:
        """The judgment in a text, read by the task. `complete=False` means that it was cut at its maximum length."""
        judgment = task.read_judgment(text, view, complete=complete)
        structure = judgment.structure if task.format.has_units else None
        return cls(pair.reference, judgment.verdict, n_tokens, structure, pair.domain)

    @classmethod
    def of_path(cls, task: Judging, pair: JudgedPair, path: Path) -> Self:
        """The judgment of a path that was drawn in the graph."""
        judgment = path.get("judgment")
        structure = judgment["structure"] if judgment is not None and task.format.has_units else None
        return cls(pair.reference, path["answer"], path["n_tokens"] or 0, structure, pair.domain)

    @property
    def right(self) -> bool:
        return self.verdict == self.reference

    @property
    def fits(self) -> bool | None:
        """Whether the structure fits the domain; None if one of them is unknown."""
        if self.structure is None or self.domain is None:
            return None
        return self.structure == FITTING[self.domain]


def judgment_figures(judged: Sequence[LabeledJudgment]) -> dict[str, float]:
    """The figures of all judgments, then those of each domain, after its name. Empty without judgments."""
    figures = _figures(judged)
    domains = sorted({each.domain for each in judged if each.domain is not None})
    for domain in domains:
        own = _figures([each for each in judged if each.domain == domain])
        figures |= {f"{domain}/{name}": value for name, value in own.items()}
    return figures


def _figures(judged: Sequence[LabeledJudgment]) -> dict[str, float]:
    if not judged:
        return {}
    right, unreadable = share(each.right for each in judged), share(each.verdict is None for each in judged)
    figures = {
        "accuracy": right,
        "rewardbench_accuracy": fmean(rewardbench_score(each.verdict, each.reference) for each in judged),
        "unreadable": unreadable,
        "tokens": sum(each.n_tokens for each in judged) / len(judged),
    }
    if fits := [each.fits for each in judged if each.fits is not None]:
        figures["fit"] = share(fits)
    if structures := [each.structure for each in judged if each.structure is not None]:
        figures |= {name: share(each == name for each in structures) for name in ("breadth", "depth", "plain")}
    return figures


def share(values: Iterable[bool]) -> float:
    """The share of true values, of at least one."""
    counted = list(values)
    return sum(counted) / len(counted)
