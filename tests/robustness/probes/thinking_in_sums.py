"""Read the number, or the label, in a complete text with the tasks of the bundled model."""

from egrm_graph.tasks.arithmetic import Arithmetic
from egrm_graph.tasks.sums import Sums
from egrm_graph.tasks.task import View

VIEW = View({"context": "17+48"}, 1, labels=("A", "B"))


def outcome(given: str) -> list[str | None]:
    return [Arithmetic().read(given), Sums().read(given, VIEW, fast=False, complete=True)]
