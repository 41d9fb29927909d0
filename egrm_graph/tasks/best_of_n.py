"""The task `best_of_n`: which of 2 to 64 candidates is the best, shown in shuffled orders."""

from __future__ import annotations

from egrm_graph.tasks.judging import Judging


class BestOfNTask(Judging):
    """The best of several candidates."""

    name = "best_of_n"
