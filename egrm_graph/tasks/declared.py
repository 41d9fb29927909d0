"""Answers as models declare them: one function a form, each giving the last answer of its form.

Decides: a box or a tag that was opened and never closed is an answer that was begun, so it withdraws what stood before
it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_ANSWER = 300

_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)  # an escaped brace is passed over
_BOX = re.compile(r"\\(?:boxed|fbox) ?\{")
_TAG = re.compile(r"<answer>", re.IGNORECASE)
_FIELD = re.compile(r'"(?:final_)?answer" ?: ?("(?:[^"\\\n]|\\.){0,300}"|[-0-9.eE]{1,40}(?=[\s,}]))', re.IGNORECASE)
_HASHES = re.compile(r"^#### ?([-+$€£]?[0-9][0-9,.]{0,40}%?)[ \t]{0,4}$", re.MULTILINE)  # any other text is a heading
_MARKS = r"[*_#>`\-\t ]"
_LABEL = re.compile(
    rf"^{_MARKS}{{0,8}}(?:(?:the|my|so|thus|therefore),? ){{0,2}}(?:(?:final|correct|short) )?answer"
    rf"(?: is)?[*_` ]{{0,4}}(?:[:：]|(?=\n))[*_` ]{{0,4}}"  # noqa: RUF001 - Chinese models type the wide colon
    rf"|\b(?-i:(?:Final )?(?:Answer|ANSWER))[*_]{{0,3}}[:：][*_` ]{{0,4}}",  # noqa: RUF001
    re.IGNORECASE | re.MULTILINE,
)
FENCE = re.compile(r"\s*(?:\\[\[\]]|\$\$|```\w{0,10})\s*")


class Found(NamedTuple):
    """An answer as it stands in the text."""

    start: int
    text: str
    closed: bool
    """Whether what follows it shows that it is complete."""


def declared(text: str) -> Found | None:
    """The last declared answer, whatever its form."""
    found = (_last_box(text), _last_tag(text), _last_field(text), _last_hashes(text), _last_label(text))
    return max((one for one in found if one is not None), key=lambda one: one.start, default=None)


def _last_box(text: str) -> Found | None:
    for box in reversed(list(_BOX.finditer(text))):
        inside = _balanced(text[box.end() : box.end() + 2 * MAX_ANSWER])
        if inside is None:
            return Found(box.start(), "", closed=False)
        if inside.strip():
            return Found(box.start(), inside, closed=True)
    return None


def _balanced(text: str) -> str | None:
    """The text up to the brace that closes it."""
    depth = 1
    for brace in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return text[: brace.start()]
    return None


def _last_tag(text: str) -> Found | None:
    tags = list(_TAG.finditer(text))
    if not tags:
        return None
    inside, closing, _ = text[tags[-1].end() :].partition("</")
    return Found(tags[-1].start(), inside if closing else "", closed=bool(closing))


def _last_field(text: str) -> Found | None:
    fields = list(_FIELD.finditer(text))
    return Found(fields[-1].start(), fields[-1][1].strip('"'), closed=True) if fields else None


def _last_hashes(text: str) -> Found | None:
    lines = list(_HASHES.finditer(text))
    return Found(lines[-1].start(), lines[-1][1], closed=lines[-1].end() < len(text)) if lines else None


def _last_label(text: str) -> Found | None:
    for label in reversed(list(_LABEL.finditer(text))):
        found = line_from(text, label.end())
        if found.text.strip(" *_`"):
            return found._replace(start=label.start())
    return None


def line_from(text: str, start: int) -> Found:
    """What is left of the line; where that is nothing, the next line that says something."""
    end = start
    while end < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].partition("</answer>")[0]
        if line.strip(" \t*_`") and not FENCE.fullmatch(line):
            return Found(start, line, closed=end < len(text))
        start = end + 1
    return Found(start, "", closed=False)
