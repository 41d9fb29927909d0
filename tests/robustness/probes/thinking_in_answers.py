"""Read the answer in a complete text of a model that thinks."""

from egrm_graph.tasks.answer import Answer


def outcome(given: str) -> str | None:
    return Answer().read(given)
