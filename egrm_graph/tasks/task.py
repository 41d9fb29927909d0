"""What a task is: how a thing is asked, how what a model says of it is read, and when two answers are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from egrm_graph.settings import RunSettings
from egrm_graph.verification import Message, Subject


@dataclass(frozen=True)
class View:
    """One way of showing a question to the model: for candidates, one order of them."""

    variables: Mapping[str, Any]
    """What the prompt is filled in with."""
    samples: int
    """How many answers are drawn in this view."""
    history: Sequence[Message] = ()
    labels: tuple[str, ...] = ()
    """What the model may say, where that is a closed set."""
    outcomes: tuple[str, ...] = ()
    """What each label stands for in the output."""
    order: tuple[str, ...] = ()
    """The candidates that are shown, in this order."""
    label_alone: bool = False
    """Whether the next token's probabilities are those of the labels."""
    code: str = field(default="", repr=False)
    """What a reasoned verdict has to be signed with."""


@runtime_checkable
class Task(Protocol):
    """One kind of question. None of its methods but `ask` may raise, whatever a model's text is."""

    @property
    def name(self) -> str: ...

    @property
    def prompts(self) -> str:
        """The set of prompts that goes with it: a folder's name in `egrm_graph.prompts`."""
        ...

    def ask(self, given: Mapping[str, Any], settings: RunSettings) -> Subject:
        """What is asked, out of a run's input.

        Raises:
            InputError: there is nothing to ask, or it is of a kind that the task cannot ask.
        """
        ...

    def views(self, subject: Subject, n: int, among: Sequence[str] = ()) -> list[View]:
        """The views in which at least `n` answers are drawn; of candidates only those whose outcomes are `among`, if
        any are."""
        ...

    def read(self, text: str, view: View, *, fast: bool, complete: bool = True) -> str | None:
        """The answer in a model's text; None where there is none.

        `complete=False` says that the text was cut by its length. It has no answer then, unless the model continues
        its prompt (`ContinuesPrompt`): after its own answer such a model goes on until it is cut.
        """
        ...

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:
        """A path as a scorer is given it: the question, and the text of the path."""
        ...

    def same(self, one: str, other: str) -> bool:
        """Whether two answers are equivalent: an equivalence relation, safe on untrusted text, and never slow."""
        ...
