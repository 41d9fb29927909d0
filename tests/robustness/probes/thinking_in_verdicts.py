"""Read the label in a complete text of a judge that thinks. Its code is 3f2a91c0."""

from egrm_graph.tasks.english import English
from egrm_graph.tasks.task import View

VIEW = View({}, 1, labels=("A", "B", "C"), code="3f2a91c0")


def outcome(given: str) -> str | None:
    return English().read(given, VIEW, fast=VIEW.code not in given, complete=True)
