"""How the bundled model is shown what it judges: answers with a letter and a bar each, and the sum, `#65A|#66B|17+48`.

Decides: the model's alphabet is the fence. All that a candidate may hold beside sums is `_`, which stands for anything
else, however long; so no candidate can hold a bar, a letter, or a word. A verdict is the last character, right behind
the sum, or the sum worked out: the letter of the candidate that comes to this sum, or `=` where none does, or several.
What is graded is the sum worked out. A reference is put in the sum's place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from egrm_graph.answers.thinking import spoken
from egrm_graph.errors import InputError
from egrm_graph.tasks.arithmetic import Arithmetic
from egrm_graph.tasks.task import View
from egrm_graph.verification import Judged, Subject

MOST_CHARACTERS = 120

_LETTERS = "ABCDEFGH"
_TIE = "="
_OTHER = "_"
_SUM = "="
_SPACE = re.compile(r"\s+")
_VERDICT = re.compile(r"(?:.*#)?-?[0-9]+(.)")
_FOREIGN = re.compile(r"[^0-9+\-=;#]+")


class Sums:
    """The dialect of `egrm-tiny`."""

    most_candidates = len(_LETTERS)
    label_alone = False

    def prompts(self, task: str) -> str:  # noqa: ARG002 - a dialect's signature
        return "tiny_judge"

    def check(self, question: str) -> str:
        return Arithmetic().check(question)

    def shown(self, text: str) -> tuple[str, str | None]:
        # The letter has to stand right behind the last number.
        written = _FOREIGN.sub(_OTHER, _SPACE.sub("", text)).rstrip(_OTHER)
        if not re.search("[0-9]", written):
            return "", "there is no number in it"
        if len(written) > MOST_CHARACTERS:
            return "", f"it has {len(written)} characters, and the bundled model reads {MOST_CHARACTERS} of a candidate"
        return written, None

    def labels(self, n: int, *, tie: bool) -> tuple[str, ...]:
        return (*_LETTERS[:n], *((_TIE,) if tie else ()))

    def grades(self, lowest: int, highest: int) -> tuple[str, ...]:  # noqa: ARG002
        return ("0", "1")  # wrong and right are all the grades that a sum can have

    def grade_labels(self, grades: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        return (_TIE, _LETTERS[0])

    def variables(
        self,
        subject: Subject,
        judged: Judged,  # noqa: ARG002 - a dialect's signature
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
        found = _VERDICT.fullmatch(view.variables["context"].partition(_SUM)[2] + said.text)
        return found[1] if found and found[1] in view.labels else None

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:
        known = view.variables["context"].partition(_SUM)[2]
        return subject["question"], f"#{known}" if known else text[:-1]


def _sum(reference: str) -> str:
    """The number that a reference comes to.

    Raises:
        InputError: it comes to none.
    """
    number = Arithmetic().read(reference)
    if number is None:
        raise InputError(f"reference={reference!r} is no whole number; the bundled model judges sums")
    return number
