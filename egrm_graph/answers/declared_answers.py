"""Find the answers that models declare, such as `\\boxed{5}` and `Answer: 5`. Each form has one function.

A function returns the last answer of its form, or the first. A box or a tag that is never closed is an answer that the
model started, so it withdraws the answers before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from egrm_graph.answers.answer_labels import LABEL

MAX_ANSWER = 300

_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)  # skip an escaped brace
_BOX = re.compile(r"\\(?:boxed|fbox) ?\{")
_TAG = re.compile(r"<answer>", re.IGNORECASE)
_FIELD = re.compile(r'"(?:final_)?answer" ?: ?("(?:[^"\\\n]|\\.){0,300}"|[-0-9.eE]{1,40}(?=[\s,}]))', re.IGNORECASE)
_HASHES = re.compile(r"^#### ?([-+$€£]?[0-9][0-9,.]{0,40}%?)[ \t]{0,4}$", re.MULTILINE)  # any other text is a heading
FENCE = re.compile(r"\s*(?:\\[\[\]]|\$\$|```\w{0,10})\s*")


class Found(NamedTuple):
    """An answer and its place in the text."""

    start: int
    text: str
    end: int
    """Where the form ends: after the closing brace or tag, or after the line."""
    closed: bool
    """Whether the text after it shows that the answer is complete."""


def declared(text: str) -> Found | None:
    """Return the last declared answer of any form."""
    answers = (_boxed(text), _tagged(text), _field(text), _hashed(text), _labeled(text))
    return max((answer for answer in answers if answer is not None), key=lambda answer: answer.start, default=None)


def first_declared(text: str) -> Found | None:
    """Return the first declared answer of any form, or the one inside it, such as a box in its line."""
    forms = (_boxed, _tagged, _field, _hashed, _labeled)
    ends = [found.end for form in forms if (found := form(text, first=True)) is not None]
    return declared(text[: min(ends)]) if ends else None


def _boxed(text: str, *, first: bool = False) -> Found | None:
    for box in _in_order(_BOX, text, first=first):
        inside = balanced(text[box.end() : box.end() + 2 * MAX_ANSWER])
        if inside is None:
            return Found(box.start(), "", len(text), closed=False)
        if inside.strip():
            return Found(box.start(), inside, box.end() + len(inside) + 1, closed=True)
    return None


def balanced(text: str) -> str | None:
    """Return the text before the closing brace."""
    depth = 1
    for brace in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return text[: brace.start()]
    return None


def _tagged(text: str, *, first: bool = False) -> Found | None:
    for tag in _in_order(_TAG, text, first=first):
        inside, closing, _ = text[tag.end() :].partition("</")
        end = tag.end() + len(inside) + len("</answer>") if closing else len(text)
        return Found(tag.start(), inside if closing else "", end, closed=bool(closing))
    return None


def _field(text: str, *, first: bool = False) -> Found | None:
    for field in _in_order(_FIELD, text, first=first):
        return Found(field.start(), field[1].strip('"'), field.end() + 1, closed=True)
    return None


def _hashed(text: str, *, first: bool = False) -> Found | None:
    for line in _in_order(_HASHES, text, first=first):
        return Found(line.start(), line[1], line.end() + 1, closed=line.end() < len(text))
    return None


def _labeled(text: str, *, first: bool = False) -> Found | None:
    for label in _in_order(LABEL, text, first=first):
        found = line_from(text, label.end())
        if found.text.strip(" *_`"):
            return found._replace(start=label.start())
    return None


def _in_order(form: re.Pattern[str], text: str, *, first: bool) -> Iterator[re.Match[str]]:
    """Return the places where a form starts, from the first to the last or in reverse."""
    found = form.finditer(text)
    return found if first else reversed(list(found))


def line_from(text: str, start: int) -> Found:
    """Return the rest of the line, or the next line with text if the rest is empty."""
    end = start
    while end < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].partition("</answer>")[0]
        if line.strip(" \t*_`") and not FENCE.fullmatch(line):
            return Found(start, line, end + 1, closed=end < len(text))
        start = end + 1
    return Found(start, "", len(text), closed=False)
