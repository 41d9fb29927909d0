"""Read the answer in a complete text."""

from egrm_graph.tasks.answer import AnswerTask


def outcome(given: str) -> str | None:
    return AnswerTask().read_answer(given)
