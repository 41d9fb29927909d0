"""Read the answer in a complete text."""

from egrm_graph.tasks.answer import Answer


def outcome(given: str) -> str | None:
    return Answer().read(given)
