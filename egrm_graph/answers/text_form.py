"""Normalize text other than numbers and mathematics for comparison.

Case, spacing, a leading "the", and a comma before "and" do not count, and "and" in a list is a comma. "A" and "an" are
kept, because "A" is an answer. Case counts where it has a meaning: in formulas, in symbols of two letters (`CO` and
`Co`), in short words in capitals (`WHO` and `who`), inside a word (`MeV` and `meV`), and in pairs of letters (`AABB`
and `aabb`). A single letter from A to J is an option, in either case; any other single letter is a symbol.
"""

from __future__ import annotations

import re

_LETTERS = re.compile(r"[^\W\d_]+")
_SMALL_WORDS = frozenset("am an as at be by do he if in is it me my no of on or so to up us we".split())  # noqa: SIM905
_CAPITALIZED_WORDS = frozenset("NO OK YES TRUE FALSE NONE ALL".split())  # noqa: SIM905
_OPTIONS = frozenset("ABCDEFGHIJ")
_MIN_CAPITALS = 5  # WHO and who, AIDS and aids
_GENES = re.compile(r"(?:([a-z])\1)+")
_FORMULA = re.compile(r"[0-9=+*/^<>\\_-]")
_MOLECULE = re.compile(r"(?:[A-Z][a-z]?(?:_\{[0-9]+\}|[0-9]+)?)+")
_INDEX = re.compile(r"_\{([0-9]+)\}")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_LIST_AND = re.compile(r",? and ")
_LIST_OR = re.compile(r", or ")
_LOOSE_SPACE = re.compile(r"(?<!\w) | (?!\w)")  # 1 2 is not 12, but x > 5 is x>5


def comparable_text(text: str) -> str:
    """Return a normalized text in the form in which two texts are compared."""
    if _MOLECULE.fullmatch(text):
        text = _INDEX.sub(r"\1", text)
    formula = bool(_FORMULA.search(text))
    alone = " " not in text
    text = _LETTERS.sub(lambda word: _folded(word[0], formula=formula, alone=alone), text)
    text = _LIST_OR.sub(" or ", _LIST_AND.sub(", ", _THOUSANDS.sub("'", text)))
    text = _LOOSE_SPACE.sub("", text)
    return text.removeprefix("the ") or text


def _folded(word: str, *, formula: bool, alone: bool) -> str:
    folded = word.casefold()
    if len(word) == 1:
        means_something = formula or (alone and word.upper() not in _OPTIONS)
    elif len(word) == 2:
        means_something = word not in _CAPITALIZED_WORDS and (folded not in _SMALL_WORDS or word.isupper())
    else:
        in_capitals = word.isupper() and len(word) < _MIN_CAPITALS and word not in _CAPITALIZED_WORDS
        in_one_case = word.islower() or word.istitle() or word.isupper()
        means_something = in_capitals or not in_one_case or bool(_GENES.fullmatch(folded))
    return word if means_something else folded
