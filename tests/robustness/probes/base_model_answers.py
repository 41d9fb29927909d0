"""The answer in the text of a model that continues its prompt; `cut` where it went on to its length."""

from egrm_graph.tasks.answer import AnswerTask


def outcome(given: dict[str, str]) -> str | None:
    [(ending, text)] = given.items()
    return AnswerTask(first=True).read_answer(text, complete=ending == "ended")
