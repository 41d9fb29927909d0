"""How two candidates are written for the bundled mixed judge: `30471#79A|8812#78B|47+38-6`, or `30471A|8812B|?`.

A candidate is digits, and for a sum also `#` and an answer. Its letter and a bar follow, and after both the question: a
sum, or `?` for a preference. No candidate can hold a letter or a bar. See `judgments/digit_grammar.py` for judgments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from egrm_graph.answers.thinking import spoken
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.judgments.digit_grammar import NEITHER, digit_verdict, read_digit_judgment
from egrm_graph.judgments.judgment import Judgment
from egrm_graph.tasks.arithmetic import ArithmeticTask
from egrm_graph.verification import Judged, Subject, View

OPEN_QUESTION = "?"
"""The question of every preference."""
MOST_DIGITS = 12

_LETTERS = "AB"
_SPACE = re.compile(r"\s+")
_CANDIDATE = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}(?:#-?[0-9]{{1,{MOST_DIGITS}}})?")
_FAST = re.compile(r"(?:-?[0-9]+)?(.)")


class DigitsFormat:
    """The format of `egrm-tiny-mixed-judge`."""

    most_candidates = len(_LETTERS)
    label_alone = False
    has_units = True
    signs = False
    solves_itself = True

    def prompts(self, task: str) -> str:
        _check(task)
        return "tiny_mixed_judge"

    def check(self, question: str) -> str:
        asked = question.strip()
        return asked if asked == OPEN_QUESTION else ArithmeticTask().check(question)

    def display(self, text: str) -> tuple[str, str | None]:
        written = _SPACE.sub("", text)
        if _CANDIDATE.fullmatch(written):
            return written, None
        return "", f"it is not a string of at most {MOST_DIGITS} digits, with # and an answer after it for a sum"

    def labels(self, n: int, *, tie: bool) -> tuple[str, ...]:
        return (*_LETTERS[:n], *((NEITHER,) if tie else ()))

    def grades(self, lowest: int, highest: int) -> tuple[str, ...]:  # noqa: ARG002 - a format's signature
        _check("pointwise")
        return ()

    def grade_labels(self, grades: Sequence[str]) -> tuple[str, ...]:
        return tuple(grades)

    def variables(
        self,
        subject: Subject,
        judged: Judged,
        texts: Sequence[str],
        labels: Sequence[str],
    ) -> dict[str, Any]:
        for name, given in (("reference", subject["reference"]), ("rubric", judged["rubric"])):
            if given:
                raise InputError(f"the bundled mixed judge does not read a {name}; leave out {name}={given!r}")
        return {
            "context": subject["question"],
            "candidates": [f"{text}{letter}" for text, letter in zip(texts, _LETTERS, strict=False)],
            "labels": list(labels),
            "code": "",
        }

    def read(self, text: str, view: View, *, fast: bool, complete: bool) -> str | None:
        said = spoken(text)
        if said is None or not complete:
            return None
        if not fast:
            return digit_verdict(said.text, view["labels"])
        found = _FAST.fullmatch(said.text)
        return found[1] if found and found[1] in view["labels"] else None

    def read_judgment(self, text: str, view: View, *, complete: bool = True) -> Judgment:
        said = spoken(text)
        if said is None or not complete:
            return Judgment(None, (), (), None)
        return read_digit_judgment(said.text, view["labels"])

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:
        return f"{'|'.join(view['variables']['candidates'])}|{subject['question']}", text


def _check(task: str) -> None:
    """Checks that the task compares two candidates.

    Raises:
        SettingsError: it does not.
    """
    if task != "pairwise":
        raise SettingsError(
            f"the bundled mixed judge does not know the task {task!r}, it compares two candidates; set task (--task) "
            "to 'pairwise', or model (--model) to 'egrm-tiny-judge'"
        )
