r"""Recognize the units that an answer may omit after a number, and give each a single name.

Known units are the measures, currencies, and counted nouns in the tables of `unit_names`. Nothing else is a unit:
`5 squared`, `2 hundred`, `3 minus x`, and `5 more` are not 5. The tables are closed on purpose, because no rule of
English separates `5 apples` from `5 fails` or `3 fives`. So a number with an unlisted noun differs from the bare
number. That can cost a vote, but it never makes a wrong answer certain.

Units combine: `m/s`, `meters per second`, and `m s^{-1}` are one unit, and so are `ft^2` and `square feet`. Nothing is
converted: 1 m is not 100 cm.
"""

from __future__ import annotations

import re
from functools import lru_cache

from egrm_graph.answers.unit_names import COUNTED, IRREGULAR, NAMES, PERCENT, SYMBOLS

__all__ = ["PERCENT", "known_unit", "meanings"]

_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3, "squared": 2, "cubed": 3}
_MAX_FACTORS = 4

_NEEDS_SPACE = re.compile(r"(?!m/s)(?:[mgshlLNJWV]|mi|in)(?![a-zA-Z])")  # 5 m is a length, but 5m may be a product
_FACTOR = re.compile(r"([^\s*/^]+)(?:\^\{?(-?[1-3])\}?)?")
_PER = re.compile(r"\s*/\s*|(?:\s|^)per\s+")


@lru_cache(maxsize=4096)
def known_unit(text: str) -> str | None:
    """Return the name of the unit in the text after a number. None if it is not a unit.

    The text starts right after the number, so its first space counts.
    """
    words = text.strip().replace("degrees", "degree")
    if not words or (text[0] != " " and _NEEDS_SPACE.match(words)):
        return None
    if (name := _single(words)) is not None:
        return name
    over, *under = _PER.split(words)
    factors: dict[str, int] = {}
    for part, sign in ((over, 1), *((part, -1) for part in under)):
        found = _factors(part) if part or sign > 0 else None
        if found is None or (sign < 0 and not found):
            return None  # not a unit, or nothing after the slash
        for factor, power in found:
            factors[factor] = factors.get(factor, 0) + sign * power
    if not factors:
        return None
    return " ".join(name if power == 1 else f"{name}^{power}" for name, power in sorted(factors.items()) if power)


def _factors(text: str) -> list[tuple[str, int]] | None:
    """Return the factors of a unit without a fraction, each with its power."""
    found: list[tuple[str, int]] = []
    pending = 1
    for piece in re.sub(r"(?<!\^)(?<!\{)-|\*", " ", text).split():
        if piece in ("squared", "cubed"):
            if not found or found[-1][1] != 1:
                return None
            found[-1] = (found[-1][0], _POWERS[piece])
        elif piece.rstrip(".") in _POWERS:
            pending = _POWERS[piece.rstrip(".")]
        else:
            match = _FACTOR.fullmatch(piece)
            name = _single(match[1]) if match else None
            power = int(match[2] or 1) if match else 1
            if name is None or (pending != 1 and power != 1):
                return None
            found.append((name, power * pending))
            pending = 1
    nouns = [name for name, _ in found if name in COUNTED]
    counted = not nouns or found == [(nouns[0], 1)]  # `square apples` is not a unit
    return found if pending == 1 and counted and len(found) <= _MAX_FACTORS else None


def _single(word: str) -> str | None:
    """Return the name of a unit that is one word or a fixed phrase."""
    if (symbol := SYMBOLS.get(word)) is not None:
        return symbol
    lower = word.lower().rstrip(".") if len(word) > 1 else word
    for form in (lower, *_singulars(lower)):
        if form in NAMES:
            return NAMES[form]
        if form in COUNTED:
            return form
    return SYMBOLS.get(word.rstrip("."))


def _singulars(word: str) -> tuple[str, ...]:
    if word in IRREGULAR:
        return (IRREGULAR[word],)
    if word.endswith("ies"):
        return (f"{word[:-3]}y", word[:-1])
    if word.endswith("es"):
        return (word[:-1], word[:-2])
    return (word[:-1],) if word.endswith("s") and len(word) > 3 and not word.endswith("ss") else ()


def meanings(unit: str) -> tuple[str, ...]:
    """Return what a unit may mean: a pound is a weight or money."""
    return ("lb", "pound sterling") if unit == "pound" else (unit,)
