"""The task `pairwise`: which of two candidates is the better one, or a tie. Always shown in both orders."""

from __future__ import annotations

from egrm_graph.tasks.judging import Judging


class Pairwise(Judging):
    """A, B or tie."""

    name = "pairwise"
    most = 2
    tie = True
