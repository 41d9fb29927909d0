r"""Normalize equations and inequalities to one direction: `5 < x` is `x > 5`, and `1 < x \le 2` is `2 \ge x > 1`.

Two relations are the same if their signs and the values of their sides are the same. Nothing is solved, so `2x > 10` is
not `x > 5`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable

from egrm_graph.answers.variable_names import NAME

_SIGN = re.compile(r"(\\(?:le|ge|ne)(?![a-zA-Z])|==?|<|>)")
_REVERSED = {">": "<", r"\ge": r"\le"}
_SYMMETRIC = ("=", "==", r"\ne")
_MAX_SIDES = 3


def may_be_relation(text: str) -> bool:
    """Return whether the text has a sign. Cheap."""
    return any(sign in text for sign in ("=", "<", ">", "\\"))


def relation(text: str, evaluate: Callable[[str], Hashable | None]) -> Hashable | None:
    """Return the signs and sides of a relation. None if the text is not a relation, or a side has no value."""
    parts = _SIGN.split(text)
    sides, signs = [part.strip() for part in parts[::2]], parts[1::2]
    if not 2 <= len(sides) <= _MAX_SIDES or not all(sides):
        return None
    values = [_side(side, evaluate) for side in sides]
    if any(value is None for value in values):
        return None
    if len(signs) == 1 and signs[0] in _SYMMETRIC:
        return "relation", signs[0][:1] if signs[0] == "==" else signs[0], tuple(sorted(values, key=repr))
    if all(sign in _REVERSED for sign in signs):
        values, signs = values[::-1], [_REVERSED[sign] for sign in reversed(signs)]
    return ("relation", *signs, tuple(values)) if set(signs) <= set(_REVERSED.values()) else None


def _side(text: str, evaluate: Callable[[str], Hashable | None]) -> Hashable | None:
    value = evaluate(text)
    return ("name", text) if value is None and re.fullmatch(NAME, text) else value
