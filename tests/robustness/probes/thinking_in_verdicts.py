"""Read the label in a complete text of a judge that thinks. Its code is 3f2a91c0."""

from egrm_graph.tasks.judging_format import EnglishFormat
from egrm_graph.verification import view_of

VIEW = view_of({}, 1, labels=("A", "B", "C"), code="3f2a91c0")


def outcome(given: str) -> str | None:
    return EnglishFormat().read(given, VIEW, fast=VIEW["code"] not in given, complete=True)
