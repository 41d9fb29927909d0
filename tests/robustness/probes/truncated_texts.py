"""Read a text that was cut at its length limit with each task."""

from egrm_graph.tasks.answer import Answer
from egrm_graph.tasks.arithmetic import Arithmetic
from egrm_graph.tasks.english import English
from egrm_graph.tasks.task import View

VIEW = View({}, 1, labels=("A", "B", "C"), code="3f2a91c0")


def outcome(given: str) -> str | None:
    read = (
        Answer().read(given, complete=False),
        Arithmetic().read(given, complete=False),
        English().read(given, VIEW, fast=True, complete=False),
        English().read(given, VIEW, fast=False, complete=False),
    )
    return next((answer for answer in read if answer is not None), None)
