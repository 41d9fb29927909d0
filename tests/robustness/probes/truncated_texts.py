"""Read a text that was cut at its length limit with each task."""

from egrm_graph.tasks.answer import AnswerTask
from egrm_graph.tasks.arithmetic import ArithmeticTask
from egrm_graph.tasks.judging_format import EnglishFormat
from egrm_graph.verification import view_of

VIEW = view_of({}, 1, labels=("A", "B", "C"), code="3f2a91c0")


def outcome(given: str) -> str | None:
    read = (
        AnswerTask().read_answer(given, complete=False),
        ArithmeticTask().read_answer(given, complete=False),
        EnglishFormat().read(given, VIEW, fast=True, complete=False),
        EnglishFormat().read(given, VIEW, fast=False, complete=False),
    )
    return next((answer for answer in read if answer is not None), None)
