"""The task: how a question is asked, how an answer is read and compared, and how a run decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.findings import Findings
from egrm_graph.settings import RunSettings
from egrm_graph.uncertainty.votes import Votes
from egrm_graph.verification import Subject, View

Provided = Literal["orders", "readings"]
"""What a task can give a measure: candidates in several orders, or probabilities of labels."""


@runtime_checkable
class Task(Protocol):
    """One kind of question. No method except `ask` and `decide` may raise, whatever text a model writes.

    `QuestionTask` and `Judging` are bases with everything but what makes a task its own.
    """

    @property
    def name(self) -> str: ...

    @property
    def prompts(self) -> str | Path:
        """The task's own prompts: the name of a set in `egrm_graph.prompts`, or a folder."""
        ...

    @property
    def variables(self) -> Mapping[str, Any]:
        """Example values of the variables that a prompt is filled in with. Templates are tried with them once."""
        ...

    @property
    def provides(self) -> frozenset[Provided]: ...

    @property
    def counts_every_vote(self) -> bool:
        """Whether the output has a share of all votes, so that nothing is decided before the last one."""
        ...

    def ask(self, given: Mapping[str, Any], settings: RunSettings) -> Subject:
        """The subject of a run, from its input.

        Raises:
            InputError: the input has nothing to ask, or something that the task cannot ask.
        """
        ...

    def views(self, subject: Subject, settings: RunSettings, n: int, among: Sequence[str] = ()) -> list[View]:
        """The views in which at least `n` answers are drawn; empty if no model has to be asked. If `among` names
        outcomes, only candidates with these outcomes are shown."""
        ...

    def read(self, text: str, view: View, *, fast: bool, complete: bool = True) -> str | None:
        """The answer in a model's text; None if it has none.

        `complete=False` means that the text was cut at its maximum length. Such a text has no answer, unless the model
        continues its prompt (`ContinuesPrompt`): after its own answer such a model writes on until it is cut.
        """
        ...

    def same(self, one: str, other: str) -> bool:
        """Whether two answers are equivalent: an equivalence relation, safe on untrusted text, and never slow."""
        ...

    def contested(self, votes: Votes, settings: RunSettings) -> list[str]:
        """The outcomes worth reasoning about, given the fast votes; empty for all."""
        ...

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:
        """The scorer's input for a path: the question, and the text of the path."""
        ...

    def decide(self, findings: Findings) -> Decision:
        """The decision of a run.

        Raises:
            RunError: no decision is possible, because a part that was passed in misbehaves.
        """
        ...
