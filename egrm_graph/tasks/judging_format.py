"""How candidates are written for a model, and how its verdict is read: in English, for any instruction-tuned model.

What counts as a verdict: a fast one is a label and nothing else, apart from markup around it. A reasoned one is the
last line, the label signed with the item's code: `3f2a91c0: A`. No candidate can know the code, so nothing that a model
repeats from a candidate is ever read as its verdict. A text that was cut at its maximum length has none. A model that
continues its prompt writes on after its verdict: its first line counts, or its first signed line if it reasons.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from egrm_graph.answers.thinking import spoken
from egrm_graph.judgments.judgment import Judgment
from egrm_graph.judgments.judgment_grammar import read_judgment
from egrm_graph.messages.candidates import MAX_CANDIDATES
from egrm_graph.messages.fencing import fence, inert
from egrm_graph.verification import Judged, Subject, View

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARKUP = r"[\s*_`\"'()\[\].:#]*"


class JudgingFormat(Protocol):
    """One way to write candidates for a model."""

    @property
    def most_candidates(self) -> int: ...

    @property
    def label_alone(self) -> bool:
        """Whether a fast verdict starts with its label, so that the next token's probabilities are the labels'."""
        ...

    @property
    def has_units(self) -> bool:
        """Whether a judgment may have units: principles with sub-verdicts."""
        ...

    @property
    def signs(self) -> bool:
        """Whether a verdict is signed with the item's code."""
        ...

    @property
    def solves_itself(self) -> bool:
        """Whether a judgment that has a solution contains it. Otherwise, a model call of its own solves the task."""
        ...

    def prompts(self, task: str) -> str:
        """The prompt set of a task."""
        ...

    def check(self, question: str) -> str:
        """The question in this format.

        Raises:
            InputError: the format cannot express it.
        """
        ...

    def display(self, text: str) -> tuple[str, str | None]:
        """A candidate as the model sees it, or why it cannot see it."""
        ...

    def labels(self, n: int, *, tie: bool) -> tuple[str, ...]:
        """The labels of `n` candidates in the order shown and, with `tie`, of a tie."""
        ...

    def grades(self, lowest: int, highest: int) -> tuple[str, ...]:
        """The grades of a scale, lowest first."""
        ...

    def grade_labels(self, grades: Sequence[str]) -> tuple[str, ...]:
        """What the model says for each grade."""
        ...

    def variables(
        self, subject: Subject, judged: Judged, texts: Sequence[str], labels: Sequence[str]
    ) -> dict[str, Any]:
        """The variables of a prompt that shows these texts under these labels."""
        ...

    def read(self, text: str, view: View, *, fast: bool, complete: bool) -> str | None:
        """The label in the model's text; None if it has none."""
        ...

    def read_judgment(self, text: str, view: View, *, complete: bool = True) -> Judgment:
        """The judgment in the model's reasoned text, with labels, never an error. Its verdict is what `read` gives."""
        ...

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:
        """The scorer's input for a path: the question, and the text of the path."""
        ...


class EnglishFormat:
    """For any instruction-tuned model. With `first`, the first verdict in a text counts, not the last."""

    def __init__(self, *, first: bool = False) -> None:
        self._first = first

    most_candidates = MAX_CANDIDATES
    label_alone = True
    has_units = True
    signs = True
    solves_itself = False

    def prompts(self, task: str) -> str:
        return task

    def check(self, question: str) -> str:
        return question.strip()

    def display(self, text: str) -> tuple[str, str | None]:
        return (text, None) if text.strip() else ("", "it is empty")

    def labels(self, n: int, *, tie: bool) -> tuple[str, ...]:
        count = n + tie
        return tuple(_LETTERS[:count]) if count <= len(_LETTERS) else tuple(str(i + 1) for i in range(count))

    def grades(self, lowest: int, highest: int) -> tuple[str, ...]:
        return tuple(str(grade) for grade in range(lowest, highest + 1))

    def grade_labels(self, grades: Sequence[str]) -> tuple[str, ...]:
        return tuple(grades)

    def variables(
        self, subject: Subject, judged: Judged, texts: Sequence[str], labels: Sequence[str]
    ) -> dict[str, Any]:
        code = judged["code"]
        named = [f"candidate {label}" for label in labels] if len(texts) > 1 else ["candidate"]
        fenced = [fence(name, text, code) for name, text in zip(named, texts, strict=False)]

        context = (
            ("tools", judged["tools"]),
            *judged["conversation"],
            ("question", subject["question"]),
            ("reference answer", subject["reference"]),
            ("rubric", judged["rubric"]),
        )
        return {
            "context": "\n\n".join(fence(name, text, code) for name, text in context if text),
            "candidates": fenced,
            "labels": list(labels),
            "code": code,
        }

    def read(self, text: str, view: View, *, fast: bool, complete: bool) -> str | None:
        said = spoken(text)
        if said is None:
            return None
        verdict = _verdict(view, fast=fast)
        if self._first:
            return _first(verdict, said.text, fast=fast, complete=complete or said.ended)
        if not (complete or said.ended):
            return None  # the label comes last
        found = verdict.fullmatch(said.text.strip() if fast else said.text.strip().rpartition("\n")[2])
        return found[1] if found else None

    def read_judgment(self, text: str, view: View, *, complete: bool = True) -> Judgment:
        said = spoken(text)
        verdict = self.read(text, view, fast=False, complete=complete)
        if said is None or not view["code"]:
            return Judgment(None, (), (), verdict)
        own = _up_to_first(_verdict(view, fast=False), said.text) if self._first else said.text
        return replace(read_judgment(own, view["code"], view["labels"]), verdict=verdict)

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:  # noqa: ARG002 - a format's signature
        return "\n\n".join((view["variables"]["context"], *view["variables"]["candidates"])), inert(text)


def _verdict(view: View, *, fast: bool) -> re.Pattern[str]:
    """The line that is a verdict."""
    label = "|".join(re.escape(label) for label in sorted(view["labels"], key=len, reverse=True))
    signed = "" if fast else f"{view['code']}{_MARKUP}"
    return re.compile(f"{_MARKUP}{signed}({label}){_MARKUP}")


def _up_to_first(verdict: re.Pattern[str], text: str) -> str:
    """The text without what comes after its first verdict."""
    lines = text.split("\n")
    end = next((i + 1 for i, line in enumerate(lines) if verdict.fullmatch(line)), len(lines))
    return "\n".join(lines[:end])


def _first(verdict: re.Pattern[str], text: str, *, fast: bool, complete: bool) -> str | None:
    """The label in the first line or, if the verdict is reasoned, in the first line that is a verdict."""
    lines = text.strip().split("\n") if complete else text.lstrip().split("\n")[:-1]
    found = (verdict.fullmatch(line) for line in (lines[:1] if fast else lines))
    return next((each[1] for each in found if each), None)
