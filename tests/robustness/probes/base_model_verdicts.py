"""Read the label of a judge that continues its prompt. Its code is 3f2a91c0."""

from egrm_graph.tasks.judging_format import EnglishFormat
from egrm_graph.verification import view_of

VIEW = view_of({}, 1, labels=("A", "B", "C"), code="3f2a91c0")


def outcome(given: dict[str, str]) -> str | None:
    [(ending, text)] = given.items()
    return EnglishFormat(first=True).read(text, VIEW, fast=VIEW["code"] not in text, complete=ending == "ended")
