"""The task `pairwise`: which of two candidates is better, or a tie. Both orders are always shown."""

from __future__ import annotations

from egrm_graph.tasks.judging import Judging


class PairwiseTask(Judging):
    """A, B, or a tie."""

    name = "pairwise"
    most = 2
    tie = True
