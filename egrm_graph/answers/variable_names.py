r"""Separate variable names from their values: `x = 5`, `f(2) = 7`, `x \in [1, 2]`, `(x, y) = (1, 2)`.

A name belongs to its value: `x = 5` is the same answer as `5`, but not the same as `y = 5`.
"""

from __future__ import annotations

import re

NAME = r"(?:\\[a-zA-Z]{1,10}|[a-zA-Z][a-zA-Z0-9']{0,9})(?:_\{[^{}]{1,4}\})?"
_NAMED = re.compile(rf"({NAME}(?:\s?\([a-zA-Z0-9, ]{{1,8}}\))?)\s*(?:==?|\\in(?![a-z]))\s*")
_NAME_AFTER_VALUE = re.compile(r"([^=<>\\]*[0-9}])\s*=\s*(\\?[a-zA-Z]{1,2}(?:_\{[^{}]{1,4}\})?)")
_SUM_EQUALS = re.compile(r"(?:[0-9+\-*/^(). ]|\\times)*[0-9)][\s]*(?:[+\-*/^]|\\times)(?:[0-9+\-*/^(). ]|\\times)*=\s*")
_RELATION = re.compile(r"[=<>]|\\(?:le|ge|ne|in|notin)(?![a-z])")
_NAMED_TUPLE = re.compile(rf"\(\s*({NAME}(?:\s*,\s*{NAME}){{1,4}})\s*\)\s*=\s*(?=[(\[])")


def split_name(text: str) -> tuple[str, str]:
    """Return the name, empty if there is none, and the value."""
    if (match := _NAMED.match(text)) and _is_single_value(text[match.end() :]):
        return "".join(match[1].split()).lstrip("\\"), text[match.end() :]
    if match := _NAME_AFTER_VALUE.fullmatch(text):
        return match[2].lstrip("\\"), match[1]
    if (match := _SUM_EQUALS.match(text)) and _is_single_value(text[match.end() :]):
        return "", text[match.end() :]
    return "", text


def split_tuple_names(text: str) -> tuple[tuple[str, ...], str]:
    """Return the names of a tuple, empty if there are none, and the tuple."""
    match = _NAMED_TUPLE.match(text)
    return (tuple(re.split(r"\s*,\s*", match[1])), text[match.end() :]) if match else ((), text)


def _is_single_value(text: str) -> bool:
    return bool(text) and not _RELATION.search(text)
