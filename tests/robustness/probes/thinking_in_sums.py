"""Read the number, or the label, in a complete text with the tasks of the bundled model."""

from egrm_graph.tasks.arithmetic import ArithmeticTask
from egrm_graph.tasks.sums_format import SumsFormat
from egrm_graph.verification import view_of

VIEW = view_of({"context": "17+48"}, 1, labels=("A", "B"))


def outcome(given: str) -> list[str | None]:
    return [ArithmeticTask().read_answer(given), SumsFormat().read(given, VIEW, fast=False, complete=True)]
