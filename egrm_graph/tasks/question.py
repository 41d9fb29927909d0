"""What the tasks that answer questions share: one view, the same for every sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from egrm_graph.errors import SettingsError
from egrm_graph.messages.run_input import question_of, reference_of
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.task import View
from egrm_graph.verification import Subject


class Reader(Protocol):
    """How one kind of question is checked, and its answers are read and compared."""

    @property
    def name(self) -> str: ...

    @property
    def prompts(self) -> str: ...

    def check(self, question: str) -> str:
        """The question in the form that is asked.

        Raises:
            InputError: the question is empty or of a kind that cannot be asked.
        """
        ...

    def read(self, text: str, *, complete: bool = True) -> str | None:
        """The answer in a model's text, as it is spelled there; None where there is none."""
        ...

    def same(self, one: str, other: str) -> bool:
        """Whether two answers are equivalent."""
        ...


class Question:
    """A task that answers questions: `Question(Answer())`."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def name(self) -> str:
        return self._reader.name

    @property
    def prompts(self) -> str:
        return self._reader.prompts

    def ask(self, given: Mapping[str, Any], settings: RunSettings) -> Subject:  # noqa: ARG002 - a task's signature
        if given.get("candidates") is not None:
            raise SettingsError(
                f"there are candidates, and the task {self.name} answers questions; "
                "to judge them set task (--task) to pairwise, best_of_n, tool_calls or pointwise"
            )
        question, history = question_of(given)
        asked = self._reader.check(question)
        return Subject(question=asked, history=history, reference=reference_of(given), key=asked, judged=None)

    def views(self, subject: Subject, n: int, among: Sequence[str] = ()) -> list[View]:  # noqa: ARG002
        return [View({"question": subject["question"]}, n, history=subject["history"])]

    def read(self, text: str, view: View, *, fast: bool, complete: bool = True) -> str | None:  # noqa: ARG002
        return self._reader.read(text, complete=complete)

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:  # noqa: ARG002
        return subject["question"], text

    def same(self, one: str, other: str) -> bool:
        return self._reader.same(one, other)
