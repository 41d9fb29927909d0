"""How candidates are written for the bundled model: each with a letter and a bar, then the sum: `#65A|#66B|17+48`.

The model's alphabet is the fence. A candidate can only contain sums and `_`, which replaces anything else, of any
length. So no candidate can contain a bar, a letter, or a word. A verdict is the last character, after the sum or after
the worked sum: the letter of the candidate that has this result, or `=` if none does, or several do. The scorer grades
the worked sum. A reference replaces the sum.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from egrm_graph.answers.thinking import spoken
from egrm_graph.errors import InputError
from egrm_graph.judgments.judgment import Judgment
from egrm_graph.tasks.arithmetic import ArithmeticTask
from egrm_graph.verification import Judged, Subject, View

MOST_CHARACTERS = 120

_LETTERS = "ABCDEFGH"
_TIE = "="
_OTHER = "_"
_SUM = "="
_SPACE = re.compile(r"\s+")
_VERDICT = re.compile(r"(?:.*#)?-?[0-9]+(.)")
_FOREIGN = re.compile(r"[^0-9+\-=;#]+")


class SumsFormat:
    """The format of `egrm-tiny`."""

    most_candidates = len(_LETTERS)
    label_alone = False
    has_units = False
    signs = False
    solves_itself = False

    def prompts(self, task: str) -> str:  # noqa: ARG002 - a format's signature
        return "tiny_judge"

    def check(self, question: str) -> str:
        return ArithmeticTask().check(question)

    def display(self, text: str) -> tuple[str, str | None]:
        # The letter has to follow the last number directly.
        written = _FOREIGN.sub(_OTHER, _SPACE.sub("", text)).rstrip(_OTHER)
        if not re.search("[0-9]", written):
            return "", "it contains no number"
        if len(written) > MOST_CHARACTERS:
            return (
                "",
                f"it has {len(written)} characters, and the bundled model reads {MOST_CHARACTERS} of a candidate",
            )
        return written, None

    def labels(self, n: int, *, tie: bool) -> tuple[str, ...]:
        return (*_LETTERS[:n], *((_TIE,) if tie else ()))

    def grades(self, lowest: int, highest: int) -> tuple[str, ...]:  # noqa: ARG002
        return ("0", "1")  # a sum is either wrong or right

    def grade_labels(self, grades: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        return (_TIE, _LETTERS[0])

    def variables(
        self,
        subject: Subject,
        judged: Judged,  # noqa: ARG002 - a format's signature
        texts: Sequence[str],
        labels: Sequence[str],
    ) -> dict[str, Any]:
        reference = subject["reference"]
        return {
            "context": subject["question"] + ("" if reference is None else f"{_SUM}{_sum(reference)}"),
            "candidates": [f"{text}{letter}" for text, letter in zip(texts, _LETTERS, strict=False)],
            "labels": list(labels),
            "code": "",
        }

    def read(self, text: str, view: View, *, fast: bool, complete: bool) -> str | None:  # noqa: ARG002
        said = spoken(text)
        if said is None or not complete:
            return None
        found = _VERDICT.fullmatch(view["variables"]["context"].partition(_SUM)[2] + said.text)
        return found[1] if found and found[1] in view["labels"] else None

    def read_judgment(self, text: str, view: View, *, complete: bool = True) -> Judgment:
        """Its verdict: the worked sum before it is not a judgment of the candidates."""
        return Judgment(None, (), (), self.read(text, view, fast=False, complete=complete))

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:
        known = view["variables"]["context"].partition(_SUM)[2]
        return subject["question"], f"#{known}" if known else text[:-1]


def _sum(reference: str) -> str:
    """The number that a reference gives.

    Raises:
        InputError: it gives none.
    """
    number = ArithmeticTask().read_answer(reference)
    if number is None:
        raise InputError(f"reference={reference!r} is not a whole number; the bundled model judges sums")
    return number
