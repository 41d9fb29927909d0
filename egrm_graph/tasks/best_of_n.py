"""The task `best_of_n`: which of 2 to 64 candidates is the best. Shown in shuffled orders."""

from __future__ import annotations

from egrm_graph.tasks.judging import Judging


class BestOfN(Judging):
    """The best of several."""

    name = "best_of_n"
