"""How much a verdict on a pair counts under two parsers, because published figures of judges depend on the parser.

Both agree on a verdict that names a candidate. They differ if no verdict can be read, or if it is a tie that is not the
reference: that is wrong for the strict one, and half right for RewardBench's, like a coin flip. So a judge that breaks
the format looks better there.

Source: RewardBench, arXiv:2403.13787, whose code counts a reply without `[[A]]` or `[[B]]` as half.
"""

from __future__ import annotations

from egrm_graph.deciding.outcomes import TIE


def strict_score(verdict: str | None, reference: str) -> float:
    """1 if the verdict is the reference, and 0 otherwise. None is a verdict that could not be read."""
    return float(verdict == reference)


def rewardbench_score(verdict: str | None, reference: str) -> float:
    """1 if the verdict is the reference, 0.5 if it names no candidate, and 0 if it names the wrong one."""
    return 0.5 if verdict in (None, TIE) and verdict != reference else strict_score(verdict, reference)
