"""What a task is: how a question is asked, how its answer is read out of a text, and when two answers are the same."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Task(Protocol):
    """One kind of question. None of its methods may raise on a model's text, whatever that is."""

    @property
    def name(self) -> str: ...

    @property
    def prompts(self) -> str:
        """The set of prompts that goes with it: a folder's name in `egrm_graph.prompts`."""
        ...

    def check(self, question: str) -> str:
        """The question in the form that is asked.

        Raises:
            InputError: the question is empty or of a kind that the task cannot ask.
        """
        ...

    def read(self, text: str, *, complete: bool = True) -> str | None:
        """The answer in a model's text, as it is spelled there; None where there is none.

        `complete=False` says that the text was cut by its length: an answer that touches the cut does not count,
        for the rest of it may be missing.
        """
        ...

    def same(self, one: str, other: str) -> bool:
        """Whether two answers are equivalent: an equivalence relation, safe on untrusted text, and never slow."""
        ...
