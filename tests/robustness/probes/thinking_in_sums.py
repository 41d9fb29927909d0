"""The number, or the label, that the tasks of the bundled model read in a complete text."""

from egrm_graph.tasks.arithmetic import Arithmetic
from egrm_graph.tasks.sums import Sums
from egrm_graph.tasks.task import View

VIEW = View({"context": "17+48"}, 1, labels=("A", "B"))


def outcome(given: str) -> list[str | None]:
    return [Arithmetic().read(given), Sums().read(given, VIEW, fast=False, complete=True)]
