"""The base of tasks that answer a question: one view, the same for every sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from egrm_graph.deciding.answer_decision import decide_answer
from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.findings import Findings
from egrm_graph.errors import SettingsError
from egrm_graph.messages.run_input import question_of, reference_of
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.task import Provided
from egrm_graph.uncertainty.votes import Votes
from egrm_graph.verification import Subject, View, view_of


class QuestionTask(ABC):
    """A task that answers questions. A subclass checks the question, and reads and compares answers."""

    name: str
    prompts: str | Path = "default"
    variables: Mapping[str, Any] = {"question": "1+1"}
    provides: frozenset[Provided] = frozenset()
    counts_every_vote = False

    @abstractmethod
    def check(self, question: str) -> str:
        """The question in the form in which it is asked.

        Raises:
            InputError: the question is empty or cannot be asked.
        """

    @abstractmethod
    def read_answer(self, text: str, *, complete: bool = True) -> str | None:
        """The answer in a model's text, as it is written there; None if it has none."""

    @abstractmethod
    def same(self, one: str, other: str) -> bool:
        """Whether two answers are equivalent."""

    def ask(self, given: Mapping[str, Any], settings: RunSettings) -> Subject:  # noqa: ARG002 - a task's signature
        if given.get("candidates") is not None:
            raise SettingsError(
                f"the input has candidates, but the task {self.name} answers questions; "
                "to judge them, set task (--task) to pairwise, best_of_n, tool_calls, or pointwise"
            )
        question, history = question_of(given)
        asked = self.check(question)
        return Subject(question=asked, history=history, reference=reference_of(given), key=asked, judged=None)

    def views(self, subject: Subject, settings: RunSettings, n: int, among: Sequence[str] = ()) -> list[View]:  # noqa: ARG002
        return [view_of({"question": subject["question"]}, n, history=subject["history"])]

    def read(self, text: str, view: View, *, fast: bool, complete: bool = True) -> str | None:  # noqa: ARG002
        return self.read_answer(text, complete=complete)

    def contested(self, votes: Votes, settings: RunSettings) -> list[str]:  # noqa: ARG002
        return []

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:  # noqa: ARG002
        return subject["question"], text

    def decide(self, findings: Findings) -> Decision:
        return decide_answer(findings, self.same)
