"""Read the answer of a model that continues its prompt. A text that is `cut` reached its length limit."""

from egrm_graph.tasks.answer import AnswerTask


def outcome(given: dict[str, str]) -> str | None:
    [(ending, text)] = given.items()
    return AnswerTask(first=True).read_answer(text, complete=ending == "ended")
